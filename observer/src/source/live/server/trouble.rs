//! Why a server could not be asked.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{SENTENCE, cut};

/// Why a server could not be asked. It never holds a password. Nothing of it is cleaned for a terminal.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Trouble {
    /// It did not answer in time.
    Slow(Duration),
    /// It refused, in an ERR packet.
    Refused {
        /// MySQL's number of the error.
        code: u16,
        /// What it says.
        message: String,
    },
    /// All else, in words.
    Told(String),
}

/// MySQL's numbers of errors that need advice.
mod error {
    pub(super) const SECURE_TRANSPORT_REQUIRED: u16 = 3159;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
}

impl Trouble {
    /// The same in no more words than a sentence has.
    pub(super) fn in_short(self) -> Self {
        match self {
            Self::Slow(limit) => Self::Slow(limit),
            Self::Refused { code, message } => Self::Refused { code, message: cut(message, SENTENCE) },
            Self::Told(what) => Self::Told(cut(what, SENTENCE)),
        }
    }

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
            Self::Slow(limit) => write!(f, "it did not answer within {} s", limit.as_secs()),
            Self::Refused { code: code @ error::SECURE_TRANSPORT_REQUIRED, .. } => {
                write!(f, "it asks for TLS (error {code}), which ssl-mode=DISABLED leaves out")
            }
            Self::Refused { code, message } => write!(f, "{message} (error {code})"),
            Self::Told(what) => f.write_str(what),
        }
    }
}

impl From<&str> for Trouble {
    fn from(words: &str) -> Self {
        Self::Told(words.to_owned())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection".into(),
            io::ErrorKind::FileTooLarge => "its answer is too long".into(),
            _ => Self::Told(error.to_string()),
        }
    }
}
