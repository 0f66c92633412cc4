//! What a case is: a client, what it does and what is done to it, and how that must be judged.

use std::time::Duration;

use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::VerdictKind;
use serde::Serialize;

/// One client's story.
pub(crate) struct Case {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// How the client connects.
    pub(crate) plan: Plan,
    /// What it asks for.
    pub(crate) query: Query,
    /// What happens, in order, once the query is sent.
    pub(crate) acts: &'static [Act],
    /// What is right to say of it.
    pub(crate) expected: Expected,
    /// Whether it belongs to the short form.
    pub(crate) short: bool,
}

impl Case {
    /// Whether its client takes leave of a connection that lives.
    pub(crate) fn quits(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Quit))
    }

    /// How many rows a client that lost nothing has read in the end.
    pub(crate) fn rows(&self) -> u32 {
        let all = self.acts.iter().any(|act| matches!(act, Act::ReadOn)).then(|| self.query.rows());
        let read = self.acts.iter().map(|act| if let Act::Read(rows) = act { *rows } else { 0 });
        all.unwrap_or_else(|| read.sum())
    }

    /// The same, connected in another way.
    pub(crate) const fn by(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }

    /// The same, in the short form too.
    pub(crate) const fn short(self) -> Self {
        Self { short: true, ..self }
    }
}

/// How a client connects: what client.py takes as its plan.
#[derive(Serialize)]
pub(crate) struct Plan {
    /// `SO_RCVBUF` in bytes, set before the connection is made; `None` leaves it to the kernel's tuning.
    pub(crate) receive_buffer: Option<u32>,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// Whether it speaks the compressed protocol (zlib).
    pub(crate) compress: bool,
    /// What it says after login.
    pub(crate) statements: &'static [&'static str],
}

/// A connection as any other.
pub(crate) const PLAIN: Plan = Plan { receive_buffer: None, tls: false, compress: false, statements: &[] };

/// What a client asks for: rows of about a kilobyte each.
#[derive(Clone, Copy)]
pub(crate) enum Query {
    /// Nothing.
    None,
    /// Rows as fast as the server can make them.
    Rows(u32),
    /// Rows that cannot be compressed.
    Noise(u32),
    /// Rows that take the server some milliseconds each.
    Slow(u32, u32),
    /// A server-side cursor.
    Cursor(u32),
}

impl Query {
    /// How many rows it has.
    fn rows(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Rows(rows) | Self::Noise(rows) | Self::Slow(rows, _) | Self::Cursor(rows) => rows,
        }
    }

    /// The act of client.py.
    pub(crate) fn act(self) -> Option<String> {
        // A thousand times a thousand rows, made as they are sent: neither server stores them first.
        let select = |row: &str, rows: u32| {
            format!(
                "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 1000) \
                 SELECT a.id, {row} FROM ids a, ids b LIMIT {rows}"
            )
        };
        let plain = "REPEAT('x', 990)";
        Some(match self {
            Self::None => return None,
            Self::Rows(rows) => format!("query {}", select(plain, rows)),
            Self::Noise(rows) => format!("query {}", select("RANDOM_BYTES(990)", rows)),
            Self::Slow(rows, millis) => {
                let row = format!("{plain}, SLEEP({:.3})", f64::from(millis) / 1000.0);
                format!("query {}", select(&row, rows))
            }
            Self::Cursor(rows) => format!("cursor {}", select(plain, rows)),
        })
    }
}

/// Something that happens.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// The client reads this many rows, of a cursor by fetching them.
    Read(u32),
    /// The client reads this many rows a second while what follows happens.
    Trickle(u32),
    /// Nothing happens for a while: the client does what it did last.
    Wait(Duration),
    /// The client reads to the end of the result, or to the end of the connection.
    ReadOn,
    /// The client asks whether the server is there.
    Ping,
    /// The client says COM_QUIT and closes.
    Quit,
    /// The client closes without a word.
    Close,
    /// The client's process gets a signal.
    Signal(Signal),
    /// Somebody else says `KILL CONNECTION`.
    KillConnection,
    /// Somebody else says `KILL QUERY`.
    KillQuery,
    /// Until the server logs that it has given up on the client.
    AwaitAbort,
    /// Until what happens to the server of this rig has happened.
    AwaitFate,
}

/// What is right to say.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    /// The verdicts of which one must be given.
    pub(crate) verdicts: &'static [VerdictKind],
    /// Whether nothing on the wire tells it from a full stall until the client reads on: who does not see the server's
    /// socket may guess that it is lost, if that is said as a guess and taken back.
    pub(crate) looks_lost: bool,
    /// What the server's giving up can be known of, if it does.
    pub(crate) abort: Option<Abort>,
}

/// The server gives up writing.
#[derive(Clone, Copy)]
pub(crate) struct Abort {
    /// The net_write_timeout that is in force.
    pub(crate) timeout: Duration,
    /// Whether the client had stopped altogether, so that the moment can be known on its side too.
    pub(crate) full_stall: bool,
}

/// What happens to a rig's server when all its clients wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// SIGTERM.
    Shutdown,
    /// SIGKILL.
    Crash,
}

impl Fate {
    /// The signal that brings it about.
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Shutdown => Signal::SIGTERM,
            Self::Crash => Signal::SIGKILL,
        }
    }
}

/// The servers' names in the table.
pub(crate) fn server_name(server: Dialect) -> &'static str {
    match server {
        Dialect::MySql => "MySQL",
        Dialect::MariaDb => "MariaDB",
    }
}
