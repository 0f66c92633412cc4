//! The server's greeting.

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
    /// Whether the server gives up with an RST at once, as MariaDB does from 10.3.3 on (MDEV-14113:
    /// `vio_set_linger` in vio/viosocket.c). Older ones close as MySQL does; they are long out of support, and
    /// not told apart.
    pub(crate) fn resets_at_abort(&self) -> bool {
        self.version.contains("MariaDB")
    }
}
