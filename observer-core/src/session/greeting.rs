//! The server's greeting, and which program speaks by it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The server's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The server's version as it names itself. Not cleaned for a terminal.
    pub version: String,
    /// The thread (connection) id, by which the server's process list names this connection.
    pub thread_id: u32,
    /// The [capabilities](crate::capability) it offers; `None` where they were not looked at.
    pub capabilities: Option<u32>,
}

impl Greeting {
    /// Which program it is.
    pub fn server_program(&self) -> ServerProgram {
        if self.version.contains("MariaDB") { ServerProgram::Mariadbd } else { ServerProgram::Mysqld }
    }

    /// Whether the server gives up with an RST at once, as MariaDB does from 10.3.3 on (MDEV-14113:
    /// `vio_set_linger` in vio/viosocket.c). Older ones close as MySQL does; they are long out of support, and
    /// not told apart.
    pub(crate) fn resets_at_abort(&self) -> bool {
        self.server_program() == ServerProgram::Mariadbd
    }
}

/// The server's program, by the name of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerProgram {
    /// MySQL's, and so called as long as no greeting says otherwise.
    #[default]
    Mysqld,
    /// MariaDB's.
    Mariadbd,
}

impl ServerProgram {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde's `skip_serializing_if` asks for"
    )]
    pub(crate) fn is_mysqld(&self) -> bool {
        *self == Self::Mysqld
    }
}

impl fmt::Display for ServerProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mysqld => "mysqld",
            Self::Mariadbd => "mariadbd",
        })
    }
}
