//! The server's greeting, and which program speaks by it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::clean;

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

    /// Kind and version for people: `MySQL 9.7.4`, `MariaDB 10.11.19`, without control characters. MariaDB before 11 puts
    /// `5.5.5-` before it, for the sake of old replicas; who does not name itself is MySQL, or speaks as it does.
    pub fn name(&self) -> String {
        let kind = match self.server_program() {
            ServerProgram::Mariadbd => "MariaDB",
            ServerProgram::Mysqld => return format!("MySQL {}", clean(&self.version)),
        };
        let version = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let version = version.split_once("-MariaDB").map_or(version, |(number, _)| number);
        format!("{kind} {}", clean(version))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_version_are_named_for_people() {
        for (version, name) in [
            ("9.7.4", "MySQL 9.7.4"),
            ("8.0.40-0ubuntu0.24.04.1", "MySQL 8.0.40-0ubuntu0.24.04.1"),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19"),
            ("11.8.2-MariaDB-ubu2404-log", "MariaDB 11.8.2"),
            ("MariaDB\u{1b}", "MariaDB MariaDB\u{fffd}"),
        ] {
            let greeting = Greeting { version: version.to_owned(), thread_id: 1, capabilities: None };
            assert_eq!(greeting.name(), name);
        }
    }
}
