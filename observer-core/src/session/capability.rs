//! Capability flags of the MySQL protocol, by their names in include/mysql_com.h without `CLIENT_`.
//!
//! The server offers some in its greeting, the client answers with those it wants; what both have named is in force.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>

/// The login names a default schema.
pub const CONNECT_WITH_DB: u32 = 1 << 3;
/// Packets are compressed with zlib.
pub const COMPRESS: u32 = 1 << 5;
/// The answer has the flags of MySQL 4.1; without it they are 16 bits.
pub const PROTOCOL_41: u32 = 1 << 9;
/// A person types: the server waits for the next command as long as interactive_timeout says, not wait_timeout.
pub const INTERACTIVE: u32 = 1 << 10;
/// TLS follows.
pub const SSL: u32 = 1 << 11;
/// A login proves who it is with a response of any length, one byte before it.
pub const SECURE_CONNECTION: u32 = 1 << 15;
/// The login names the plugin that proves who it is.
pub const PLUGIN_AUTH: u32 = 1 << 19;
/// The login has attributes.
pub const CONNECT_ATTRS: u32 = 1 << 20;
/// That response has a length-encoded integer before it.
pub const PLUGIN_AUTH_LENENC_CLIENT_DATA: u32 = 1 << 21;
/// The server tells what changed in the session, behind the message of an OK packet.
pub const SESSION_TRACK: u32 = 1 << 23;
/// A result ends with an OK packet and not with an EOF packet.
pub const DEPRECATE_EOF: u32 = 1 << 24;
/// Packets are compressed with Zstandard.
pub const ZSTD_COMPRESSION_ALGORITHM: u32 = 1 << 26;
/// Statements have attributes, which stand before their text.
pub const QUERY_ATTRIBUTES: u32 = 1 << 27;
