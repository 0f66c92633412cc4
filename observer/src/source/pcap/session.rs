//! What both ends say in MySQL's protocol, as far as it bears on how long the server waits.

use observer_core::{Greeting, SocketEventKind, Statement, Timestamp, capability, error_number};

use super::asked::Asked;
use crate::mysql::{Command, Login, Reply, Statements, Tail, greeting, lone_error};

/// A command that has no answer.
const COM_QUIT: &str = "\u{1}";

/// What a server has sent in one segment.
pub(super) struct Said<'a> {
    /// What is new of it, as far as it was captured.
    pub(super) payload: &'a [u8],
    /// Whether it was captured to its end.
    pub(super) whole: bool,
    /// Whether the server had received everything that the client has sent.
    pub(super) answers_all: bool,
}

/// With which errors a server takes its leave of a running statement.
const PARTING: [u16; 2] = [error_number::SERVER_SHUTDOWN, error_number::CONNECTION_KILLED];

/// What is known of one session.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; they come true in any order")]
pub(super) struct Session {
    /// How far the handshake has come; that of a connection older than the capture is over.
    handshake: Handshake,
    /// What the server offered, then what both can do.
    capabilities: Option<u32>,
    /// Whether nothing can be read any more.
    tls: bool,
    /// Whether the answer to a command that was told is to come.
    awaits_reply: bool,
    /// Whether the next command is told whatever it is: it ends what the last one set for itself alone.
    tells_next: bool,
    /// Whether the client has said something that the server has not answered yet.
    asked: bool,
    tail: Tail,
    asked_for: Asked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Handshake {
    Greeting,
    Login,
    #[default]
    Over,
}

impl Session {
    /// A session that begins now.
    pub(super) fn begin() -> Self {
        Self { handshake: Handshake::Greeting, ..Self::default() }
    }

    /// Takes what the client sent next.
    pub(super) fn client_sent(&mut self, at: Timestamp, payload: &[u8]) -> Option<SocketEventKind> {
        self.asked = true;
        if self.handshake != Handshake::Over {
            self.handshake = Handshake::Over;
            let login = Login::parse(payload)?;
            self.capabilities = self.capabilities.map(|offered| offered & login.capabilities);
            self.tls = login.tls;
            let Login { capabilities, tls, account } = login;
            return Some(SocketEventKind::Login { capabilities, tls, account: account.map(Box::new) });
        }
        if self.tls {
            return None;
        }
        self.asked_for.keep(at, payload, self.is_compressed());
        let command = if self.tells_next { Command::parse_any(payload) } else { Command::parse(payload) };
        let Command { length, text } = command?;
        self.awaits_reply = text != COM_QUIT;
        // SET STATEMENT … FOR, or something like it.
        self.tells_next = text.to_ascii_lowercase().contains("statement");
        Some(SocketEventKind::Command { length, text })
    }

    /// Takes what the server sent next.
    pub(super) fn server_sent(&mut self, said: &Said<'_>) -> Option<SocketEventKind> {
        let asked = std::mem::take(&mut self.asked);
        let told = self.told_by_server(said, asked);
        if said.whole {
            self.tail.push(said.payload);
        } else {
            self.tail.clear();
        }
        told
    }

    fn told_by_server(&mut self, said: &Said<'_>, asked: bool) -> Option<SocketEventKind> {
        let payload = said.payload;
        if self.handshake == Handshake::Greeting {
            self.handshake = Handshake::Login;
            if let Some(Greeting { version, thread_id, capabilities }) = greeting(payload) {
                self.capabilities = capabilities;
                return Some(SocketEventKind::Greeting { version, thread_id, capabilities });
            }
        } else if self.tls {
            return None;
        }
        if said.answers_all {
            self.asked_for.answered(payload);
        }
        if self.awaits_reply && said.answers_all {
            self.awaits_reply = false;
            return Reply::parse(payload).map(|reply| SocketEventKind::Reply { ok: reply.is_ok() });
        }
        let code = lone_error(payload).filter(|_| !asked)?;
        Some(SocketEventKind::ServerError { code })
    }

    /// Something of what the server has sent was not seen.
    pub(super) fn server_sent_unseen(&mut self) {
        self.tail.clear();
        // It may have been the answer.
        self.awaits_reply = false;
    }

    /// The ERR packet with which the server takes its leave of a running statement, if its stream ends with one: that
    /// it shuts down, or that the connection was killed.
    pub(super) fn parting_error(&self) -> Option<SocketEventKind> {
        let code = self.tail.error().filter(|code| !self.tls && PARTING.contains(code))?;
        Some(SocketEventKind::ServerError { code })
    }

    /// What the client waits for, if it was not told yet.
    pub(super) fn waits_for(&mut self, statements: Statements) -> Option<SocketEventKind> {
        let news = self.asked_for.news(statements).filter(|_| statements != Statements::None)?;
        let statement = Statement { in_result: self.in_result(), ..news };
        Some(SocketEventKind::Statement(Box::new(statement)))
    }

    fn is_compressed(&self) -> bool {
        let compresses = capability::COMPRESS | capability::ZSTD_COMPRESSION_ALGORITHM;
        self.capabilities.is_some_and(|known| known & compresses != 0)
    }

    /// Whether the server's stream has ended within a result; `None` where that cannot be told.
    pub(super) fn in_result(&self) -> Option<bool> {
        if self.tls || self.asked {
            return None;
        }
        // TLS that both ends are able to use is not in use: it would have been announced.
        let ends = self.tail.ends_a_result(self.capabilities.map(|both| both & !capability::SSL))?;
        Some(!ends)
    }
}
