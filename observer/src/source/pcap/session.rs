//! What both ends say in MySQL's protocol, as far as it bears on how long the server waits.

use observer_core::{SocketEventKind, capability};

use crate::mysql::{Command, Greeting, Login, Reply, Tail, lone_error};

/// What is known of one session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// How far the handshake has come; that of a connection older than the capture is over.
    handshake: Handshake,
    /// What the server offered, then what both can do.
    capabilities: Option<u32>,
    /// Whether nothing can be read any more.
    tls: bool,
    /// Whether the answer to a command that was told is to come.
    awaits_reply: bool,
    /// Whether the client has said something that the server has not answered yet.
    asked: bool,
    tail: Tail,
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
    pub(super) fn client_sent(&mut self, payload: &[u8]) -> Option<SocketEventKind> {
        self.asked = true;
        if self.handshake != Handshake::Over {
            self.handshake = Handshake::Over;
            let login = Login::parse(payload)?;
            self.capabilities = self.capabilities.map(|offered| offered & login.capabilities);
            self.tls = login.tls;
            return Some(SocketEventKind::Login { capabilities: login.capabilities, tls: login.tls });
        }
        if self.tls {
            return None;
        }
        let command = Command::parse(payload);
        self.awaits_reply = command.is_some();
        command.map(|Command { length, text }| SocketEventKind::Command { length, text })
    }

    /// Takes what the server sent next, of which `whole` says whether it was captured to its end.
    pub(super) fn server_sent(&mut self, payload: &[u8], whole: bool) -> Option<SocketEventKind> {
        let asked = std::mem::take(&mut self.asked);
        let told = self.told_by_server(payload, asked);
        if whole {
            self.tail.push(payload);
        } else {
            self.tail.clear();
        }
        told
    }

    fn told_by_server(&mut self, payload: &[u8], asked: bool) -> Option<SocketEventKind> {
        if self.handshake == Handshake::Greeting {
            self.handshake = Handshake::Login;
            let Greeting { version, thread_id, capabilities } = Greeting::parse(payload)?;
            self.capabilities = capabilities;
            return Some(SocketEventKind::Greeting { version, thread_id, capabilities });
        }
        if self.tls {
            return None;
        }
        if std::mem::take(&mut self.awaits_reply) {
            return Reply::parse(payload).map(|reply| SocketEventKind::Reply { ok: reply.is_ok() });
        }
        // At the end of a result that could not be finished an ERR packet stands too: that was asked for.
        let idle = !asked && self.ends_a_result() != Some(false);
        let code = lone_error(payload).filter(|_| idle)?;
        Some(SocketEventKind::ServerError { code })
    }

    /// Something of what the server has sent was not seen.
    pub(super) fn server_sent_unseen(&mut self) {
        self.tail.clear();
        // It may have been the answer.
        self.awaits_reply = false;
    }

    /// Whether the server's stream has ended within a result; `None` where that cannot be told.
    pub(super) fn in_result(&self) -> Option<bool> {
        self.ends_a_result().map(|ends| !ends)
    }

    fn ends_a_result(&self) -> Option<bool> {
        if self.tls {
            return None;
        }
        // Wanted by the client is not used: TLS would have been announced.
        self.tail.ends_a_result(self.capabilities.map(|both| both & !capability::SSL))
    }
}
