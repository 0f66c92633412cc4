//! What the program and the process that holds a session at a server say to each other: JSON, a line each.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadHalf,
    WriteHalf,
};

use super::tls::Tls;
use super::trouble::Trouble;

/// A longer line is none of either's: a row that answers no question, in bytes.
const LONGEST: u64 = 1 << 20;

/// Bytes in both directions.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The first line: how to log in. Each one after it is a statement. It has no debug form, as the password is in it.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) tls: Tls,
}

/// A row: text, or nothing for NULL. What is not UTF-8 is replaced.
pub(super) type Row = Vec<Option<String>>;

/// What answers the login, which has no rows, and each statement.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Row(Row),
    /// There are no more rows.
    Done,
    /// There is no answer, or no more of it.
    Failed(Trouble),
}

/// One end.
pub(super) struct Link {
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
}

/// What the other end says.
pub(super) struct Incoming {
    wire: BufReader<ReadHalf<Box<dyn Wire>>>,
    line: Vec<u8>,
}

/// What is said to the other end.
pub(super) struct Outgoing(WriteHalf<Box<dyn Wire>>);

impl Link {
    pub(super) fn over(wire: impl Wire + 'static) -> Self {
        let (read, write) = tokio::io::split(Box::new(wire) as Box<dyn Wire>);
        let incoming = Incoming { wire: BufReader::new(read), line: Vec::new() };
        Self { incoming, outgoing: Outgoing(write) }
    }
}

impl Incoming {
    /// The next line and its length; `None` when the other end is gone. Nothing of it is lost where this is given up.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, usize)>> {
        let room = LONGEST.saturating_sub(self.line.len() as u64);
        (&mut self.wire).take(room).read_until(b'\n', &mut self.line).await?;
        if self.line.last() != Some(&b'\n') {
            return if (self.line.len() as u64) < LONGEST {
                Ok(None)
            } else {
                Err(io::ErrorKind::FileTooLarge.into())
            };
        }
        let line = std::mem::take(&mut self.line);
        Ok(Some((serde_json::from_slice(&line)?, line.len())))
    }
}

impl Outgoing {
    pub(super) async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.0.write_all(&line).await
    }
}
