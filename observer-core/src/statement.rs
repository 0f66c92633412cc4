//! What a client said of itself when it logged in, and what it asked for.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The client's library, as it names itself in the connection attributes of its login.
///
/// Nothing of it is checked by the server. No text is cleaned for a terminal.
/// <https://dev.mysql.com/doc/refman/en/performance-schema-connection-attribute-tables.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connector {
    /// `_client_name`: `libmysql`, `pymysql`, `MySQL Connector/J`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `_client_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `program_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// `_pid`: in the client's own pid namespace, so that it may be another one on its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// Who logged in, where that could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// The user's name. Not cleaned for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The default schema it asked for; a later `USE` is not followed. Not cleaned for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What it logged in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<Connector>,
}

/// The command that a client waits for an answer to, told when its connection stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// When it passed.
    pub sent_at: Timestamp,
    /// What kind of command it is.
    pub command: StatementKind,
    /// Length of the packet's payload as its header says.
    pub length: u32,
    /// Its text, or that of the statement that was prepared, as far as it was kept; literals are hidden unless that was
    /// not wanted. `None` where it is not known. Not cleaned for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the text goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Whether the result stays in the server, to be fetched in pieces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cursor: bool,
    /// Whether the end of its answer had not passed when this was told; `None` where that was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_result: Option<bool>,
}

/// What kind of command a [`Statement`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// `COM_QUERY`: a statement as text.
    Query,
    /// `COM_STMT_EXECUTE`: a prepared statement.
    Execute,
    /// `COM_STMT_FETCH`: rows of a cursor in the server.
    Fetch,
    /// `COM_BINLOG_DUMP` or `COM_BINLOG_DUMP_GTID`: the client is a replica, or reads the binary log like one.
    BinlogDump,
    /// Another command, or one that cannot be read.
    Other,
}
