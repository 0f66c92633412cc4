//! Why a server could not be asked.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why a server could not be asked. It never holds a password.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The network, or nobody listens.
    Io(io::Error),
    /// It did not answer in time.
    Slow(Duration),
    /// It refused, in an ERR packet.
    Refused {
        /// MySQL's number of the error.
        code: u16,
        /// What it says. Not cleaned for a terminal.
        message: String,
    },
    /// There is no TLS with it, in words. Not cleaned for a terminal.
    Tls(String),
    /// It wants to be logged in to in a way of this name. Not cleaned for a terminal.
    Method(String),
    /// What it sent is not what was asked for, or it wants what observer does not do.
    Protocol(&'static str),
}

/// MySQL's numbers of errors that need advice.
mod error {
    pub(super) const SECURE_TRANSPORT_REQUIRED: u16 = 3159;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
}

impl Trouble {
    /// Whether the connection goes on after it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether the server has no such table.
    pub(super) fn is_no_such_table(&self) -> bool {
        matches!(self, Self::Refused { code: error::NO_SUCH_TABLE, .. })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("it closed the connection")
            }
            Self::Io(error) => write!(f, "{error}"),
            Self::Slow(limit) => write!(f, "it did not answer within {} s", limit.as_secs()),
            Self::Refused { code: code @ error::SECURE_TRANSPORT_REQUIRED, .. } => {
                write!(f, "it asks for TLS (error {code}), which ssl-mode=DISABLED leaves out")
            }
            Self::Refused { code, message } => write!(f, "{message} (error {code})"),
            Self::Tls(why) => f.write_str(why),
            Self::Method(name) => write!(
                f,
                "its account logs in by {name}, which is not known here: give it caching_sha2_password or \
                 mysql_native_password"
            ),
            Self::Protocol(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
