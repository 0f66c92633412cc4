//! What a MySQL session has agreed on and set for itself, as far as it was seen on the wire.

pub mod capability;
pub mod error_number;
mod greeting;
mod server;
mod set;
mod tokens;
mod told;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Timeout, TimeoutSource};
use crate::flow::Vantage;
use crate::statement::{Account, Statement};
use crate::time::Timestamp;

pub use greeting::{Greeting, ServerProgram};
pub use server::{ServerAddress, ServerTimeout};
use set::{Changes, Value};
use tokens::Version;
pub use told::ServerSession;

/// First bytes of commands: <https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html>.
mod command {
    pub(super) const QUERY: char = '\u{3}';
    pub(super) const CHANGE_USER: char = '\u{11}';
    pub(super) const RESET_CONNECTION: char = '\u{1f}';
}

/// How long a server waits for the next command if nothing else is known: wait_timeout and interactive_timeout are
/// 28,800 s by default (`NET_WAIT_TIMEOUT`, include/mysql_com.h).
pub(crate) const IDLE: Timeout =
    Timeout { duration: Duration::from_secs(28_800), source: TimeoutSource::Assumed };

/// What a session has agreed on and set for itself.
#[derive(Clone, Debug, Default)]
pub struct Session {
    greeting: Option<Box<Greeting>>,
    /// The vantage that tells of it: what is seen at both ends happened once.
    seen_at: Option<Vantage>,
    /// Those of the greeting and the login; `None` where the login was not seen.
    capabilities: Option<u32>,
    tls: bool,
    account: Option<Box<Account>>,
    /// The command it waited for when it stood still last.
    statement: Option<Box<Statement>>,
    write: Value,
    wait: Value,
    /// What was asked for and not answered yet.
    asked: Option<Changes>,
    /// net_write_timeout for the present command alone.
    for_statement: Option<Value>,
    /// How many of its commands were not told, as there were too many.
    untold: u32,
    /// What the server told of it last, and when it was asked.
    told: Option<Box<(Timestamp, ServerSession)>>,
}

impl Session {
    /// The server's greeting.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_deref()
    }

    /// The [capabilities](capability) in force: those that greeting and login have both named. `None` where the login
    /// was not seen.
    pub fn capabilities(&self) -> Option<u32> {
        self.capabilities
    }

    /// Who logged in, where that could be read.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// The command that the client waited for when its connection stood still last.
    pub fn statement(&self) -> Option<&Statement> {
        self.statement.as_deref()
    }

    /// What keeps an observer from reading all that the client says.
    pub fn hidden(&self) -> Option<Hidden> {
        if self.tls {
            Some(Hidden::Tls)
        } else if self.is_compressed() {
            Some(Hidden::Compression)
        } else {
            self.capabilities.is_none().then_some(Hidden::Unseen)
        }
    }

    /// Whether TLS hides what the session does.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether packets are compressed. Short ones are stored as they are, so that most SETs can be seen.
    pub fn is_compressed(&self) -> bool {
        self.has(capability::COMPRESS | capability::ZSTD_COMPRESSION_ALGORITHM)
    }

    /// Whether a person is said to type: then the session's wait_timeout begins as the server's interactive_timeout.
    pub fn is_interactive(&self) -> bool {
        self.has(capability::INTERACTIVE)
    }

    /// What the server told of the session when it was asked last, and when that was; `None` where it is not asked.
    pub fn told_by_server(&self) -> Option<&(Timestamp, ServerSession)> {
        self.told.as_deref()
    }

    fn has(&self, flags: u32) -> bool {
        self.capabilities.is_some_and(|known| known & flags != 0)
    }

    /// How long the server waits for the next command.
    pub(crate) fn idle_timeout(&self) -> Timeout {
        in_force(self.wait, self.by_server(|told| told.wait_timeout).unwrap_or(IDLE))
    }

    /// net_write_timeout, where `global` is what holds if the session has not set its own.
    ///
    /// A SET that was seen weighs more than what the server says: COM_RESET_CONNECTION gives the session its variables
    /// back and leaves its socket with the timeout that was set (`THD::init`, sql/sql_class.cc).
    pub(crate) fn write_timeout(&self, global: Timeout) -> Timeout {
        let own = self.by_server(|told| told.net_write_timeout);
        let global = own.or_else(|| self.by_server(|told| told.global_net_write_timeout)).unwrap_or(global);
        match self.for_statement.unwrap_or(self.write) {
            hidden @ (Value::Unreadable | Value::Untold) => own.unwrap_or(in_force(hidden, global)),
            value => in_force(value, global),
        }
    }

    fn by_server(&self, timeout: impl Fn(&ServerSession) -> Option<Duration>) -> Option<Timeout> {
        let (_, told) = self.told_by_server()?;
        timeout(told).map(|duration| Timeout { duration, source: TimeoutSource::Server })
    }

    /// Why the session may have a net_write_timeout that was not seen.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        let is_told = self.by_server(|told| told.net_write_timeout).is_some();
        match self.for_statement.unwrap_or(self.write) {
            Value::Unreadable | Value::Untold | Value::Global if is_told => None,
            Value::Unreadable => Some(Doubt::Unreadable),
            Value::Untold => Some(Doubt::Untold),
            Value::Global if self.tls => Some(Doubt::Tls),
            Value::Global if self.capabilities.is_none() => Some(Doubt::BeganBefore),
            Value::Global if self.is_compressed() => Some(Doubt::Compression),
            Value::Seconds(_) | Value::Global => None,
        }
    }
}

/// Inputs.
impl Session {
    /// The server's first packet.
    pub(crate) fn greeted(&mut self, greeting: Greeting) {
        self.greeting = Some(Box::new(greeting));
    }

    /// The server was asked at `at`, and told of the session.
    pub(crate) fn told(&mut self, at: Timestamp, told: ServerSession) {
        if self.greeting.is_none() {
            #[expect(clippy::cast_possible_truncation, reason = "a greeting has the lower half too")]
            let thread_id = told.thread_id as u32;
            self.greeted(Greeting { version: told.version.clone(), thread_id, capabilities: None });
        }
        self.told = Some(Box::new((at, told)));
    }

    /// The client's answer to the greeting.
    pub(crate) fn login(
        &mut self,
        seen_at: Vantage,
        capabilities: u32,
        tls: bool,
        account: Option<&Account>,
    ) {
        if self.tells(seen_at) {
            self.account = account.cloned().map(Box::new);
            let offered = self.greeting().and_then(|greeting| greeting.capabilities).unwrap_or(u32::MAX);
            self.capabilities = Some(capabilities & offered);
            self.tls = tls;
        }
    }

    /// What the client waits for. Seen at both ends, it is the same.
    pub(crate) fn asked(&mut self, statement: &Statement) {
        if self.statement().is_none_or(|known| known.sent_at <= statement.sent_at) {
            self.statement = Some(Box::new(statement.clone()));
        }
    }

    /// A command.
    pub(crate) fn command(&mut self, seen_at: Vantage, text: &str) {
        if !self.tells(seen_at) || self.tls {
            return;
        }
        self.take_for_granted();
        self.for_statement = None;
        let version = self.greeting().and_then(|greeting| Version::parse(&greeting.version));
        let mut characters = text.chars();
        let changes = match characters.next() {
            Some(command::QUERY) => Changes::read(characters.as_str(), version),
            // They give a session new variables, but nobody tells its socket of the new net_write_timeout: the last
            // SET stays in force (`THD::init`, sql/sql_class.cc; `fix_net_write_timeout`, sql/sys_vars.cc).
            Some(command::CHANGE_USER | command::RESET_CONNECTION) => {
                Changes { wait: Some(Value::Global), ..Changes::default() }
            }
            _ => return,
        };
        if text.starts_with(command::CHANGE_USER) {
            self.account = None;
        }
        self.for_statement = changes.statement;
        self.asked = (changes.write.is_some() || changes.wait.is_some()).then_some(changes);
    }

    /// The answer to the last command.
    pub(crate) fn reply(&mut self, seen_at: Vantage, ok: bool) {
        if self.tells(seen_at) && !ok {
            self.asked = None;
            self.for_statement = None;
        } else if self.tells(seen_at) {
            self.take_for_granted();
        }
    }

    /// So many of its commands altogether were not told. Whether that is news.
    pub(crate) fn untold(&mut self, count: u32) -> bool {
        let is_news = count > self.untold;
        if is_news {
            self.untold = count;
            (self.write, self.wait) = (Value::Untold, Value::Untold);
            (self.asked, self.for_statement) = (None, None);
        }
        is_news
    }

    /// Whether what was seen there counts: the first vantage that says anything goes on to say everything.
    fn tells(&mut self, seen_at: Vantage) -> bool {
        *self.seen_at.get_or_insert(seen_at) == seen_at
    }

    /// The session went on, so that what was asked for was answered, even if that was not seen.
    pub(crate) fn take_for_granted(&mut self) {
        let Some(Changes { write, wait, .. }) = self.asked.take() else { return };
        self.write = write.unwrap_or(self.write);
        self.wait = wait.unwrap_or(self.wait);
    }
}

fn in_force(value: Value, global: Timeout) -> Timeout {
    match value {
        Value::Global => global,
        Value::Seconds(seconds) => {
            Timeout { duration: Duration::from_secs(seconds.into()), source: TimeoutSource::Session }
        }
        Value::Unreadable | Value::Untold => Timeout { source: TimeoutSource::Assumed, ..global },
    }
}

/// Why what a client says cannot be read, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// TLS hides all but the greeting.
    Tls,
    /// Packets are compressed; only short ones can be read.
    Compression,
    /// The login was not seen: it was before the observation, or was lost.
    Unseen,
}

impl fmt::Display for Hidden {
    /// A clause that can stand by itself: `TLS hides it`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS hides it",
            Self::Compression => "compression hides it",
            Self::Unseen => "its login was not seen",
        })
    }
}

/// Why a session may have a net_write_timeout of its own that was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// TLS hides it.
    Tls,
    /// Compression may hide it.
    Compression,
    /// It was set to something that is computed.
    Unreadable,
    /// It said too much at once to be told in full.
    Untold,
    /// The connection is older than the observation of it.
    BeganBefore,
}

impl fmt::Display for Doubt {
    /// A clause that can stand by itself: `what the session sets for itself cannot be seen under TLS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "what the session sets for itself cannot be seen under TLS",
            Self::Compression => "what the session sets for itself may be hidden by compression",
            Self::Unreadable => "the session has set net_write_timeout to a value that is computed",
            Self::Untold => "the session sets so much that not all of it was told",
            Self::BeganBefore => "what the session set for itself before the observation began is not known",
        })
    }
}
