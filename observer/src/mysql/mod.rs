//! As much of the MySQL protocol as an observer needs: the few packets that tell how long a server will wait, what
//! became of a statement, and whether a result was cut off.
//!
//! ```text
//! packet      one packet at the beginning of some bytes, plain or within a compressed one
//! greeting    what the server says first
//! login       what the client answers
//! command     what of a client's command is told
//! attributes  what stands before a statement
//! statement   what a client waits for
//! literals    a statement without its literals
//! reply       how the server answers a command
//! tail        whether a server's stream ends where a result ends
//! ```
//!
//! Everything here is a function of some bytes that came from the network and may be cut off or hostile: what they
//! are not, is `None`.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>

mod attributes;
mod command;
mod greeting;
mod literals;
mod login;
mod packet;
#[cfg(test)]
mod properties;
mod reply;
mod statement;
mod tail;

pub use command::{Command, tellable};
pub use greeting::greeting;
pub use literals::without_literals;
pub use login::{LOGIN_FIXED, LOGIN_HEAD, LOGIN_REST, Login};
pub use packet::{Packet, length_encoded_bytes, stored};
pub use reply::{Reply, lone_error};
pub use statement::{Kept, Statements, keepable, prepares, statement, statement_id};
pub use tail::Tail;
