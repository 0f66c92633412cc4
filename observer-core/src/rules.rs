//! The rules: how an observation changes a connection, and what is found by it.
//!
//! | file | what it decides |
//! |---|---|
//! | `segments` | what segments say: SYN, windows, probes, FIN, RST, and the counters made of them |
//! | `sockets` | what sockets say: their states, their diagnostics, their disappearance |
//! | `own_wait` | what the server's own wait says, where its system calls are followed |
//! | `wait` | whether the server waits behind a closed window, and since when |
//! | `pace` | how fast a server fills its send buffer, where that cannot be seen |
//! | `session` | what the session sets for itself |
//! | `asked` | what the server says when it is asked |
//! | `stall` | the phases of a stall and their deadlines |
//! | `ending` | how a connection ends, and what its client still has to read |
//! | `outcome` | what is remembered for the verdict, and when the verdict is told |

mod asked;
mod ending;
mod outcome;
mod own_wait;
mod pace;
mod segments;
mod session;
mod sockets;
mod stall;
mod wait;

pub(crate) use outcome::PATIENCE;

use std::collections::VecDeque;

use crate::config::Config;
use crate::connection::{Connection, Greeting, OwnWait};
use crate::event::{SocketEvent, SocketEventKind};
use crate::finding::{Finding, FindingKind, Reader};
use crate::flow::{End, Vantage};
use crate::time::Timestamp;

/// The command byte with which a client takes its leave.
const COM_QUIT: char = '\u{1}';

/// What the rules need besides the connection.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) findings: &'a mut VecDeque<Finding>,
    /// Whether what falls due waits for what the observer has not seen yet.
    pub(crate) waits: bool,
}

impl<'a> Context<'a> {
    /// Where nothing waits.
    pub(crate) fn new(config: &'a Config, findings: &'a mut VecDeque<Finding>) -> Self {
        Self { config, findings, waits: false }
    }
}

impl Connection {
    /// Takes one event that belongs to this connection.
    pub(crate) fn observe(&mut self, at: Timestamp, event: &SocketEvent, cx: &mut Context<'_>) {
        let seen_at = event.socket.seen_at;
        match &event.kind {
            SocketEventKind::Syn { by, seq, .. } => self.syn(at, *by, *seq),
            SocketEventKind::ZeroWindow { by: End::Client, ack } => {
                self.command_was_answered(cx.config);
                self.zero_window(at, *ack);
            }
            SocketEventKind::WindowUpdate { by: End::Client, window, ack } => {
                self.window_update(at, *window, *ack);
            }
            SocketEventKind::ZeroWindowProbe { by: End::Server } => self.probe(at, seen_at),
            SocketEventKind::ZeroWindowProbeAck { by: End::Client } => self.probe_ack(at, seen_at),
            SocketEventKind::Fin { by: End::Server, seq, in_result } => {
                self.note_fin(at, *seq, *in_result);
                self.server_finished(at, cx);
            }
            SocketEventKind::ServerError { code } => self.history_mut().error = Some((at, *code)),
            SocketEventKind::Command { text, .. } if text.starts_with(COM_QUIT) => {
                self.history_mut().quit = true;
            }
            SocketEventKind::Fin { by: End::Client, .. } => self.client_finished(at, cx),
            SocketEventKind::Reset { by } => self.reset(at, *by, cx),
            SocketEventKind::Greeting { version, thread_id, capabilities } => {
                let (version, thread_id, capabilities) = (version.clone(), *thread_id, *capabilities);
                self.greeted(Greeting { version, thread_id, capabilities });
            }
            SocketEventKind::Login { capabilities, tls, account } => {
                self.login(seen_at, *capabilities, *tls, account.as_deref());
            }
            SocketEventKind::Statement(statement) => self.asked(statement),
            SocketEventKind::Command { text, .. } => {
                self.commanded(at);
                self.command(seen_at, text, cx.config);
            }
            SocketEventKind::Reply { ok } => {
                self.commanded(at);
                self.reply(seen_at, *ok, cx.config);
            }
            SocketEventKind::ServerSession(told) => self.told(at, told, cx),
            SocketEventKind::SessionGone { thread_id } => self.session_gone(at, *thread_id, cx),
            SocketEventKind::Wire(sample) => self.wire_sample(at, seen_at, sample, cx),
            SocketEventKind::State { from, to, process } => {
                self.state_changed(at, seen_at, *from, *to, process.as_ref(), cx);
            }
            SocketEventKind::Socket(sample) => self.socket_sample(at, seen_at, sample, cx),
            SocketEventKind::ProcessEnds { .. } if seen_at == Vantage::Server => {
                self.history_mut().server_died = true;
            }
            SocketEventKind::Owners(owners) => self.owned(seen_at, owners),
            SocketEventKind::ServerWaits { since, timeout, process } => {
                self.server.process.get_or_insert_with(|| Box::new(process.clone()));
                let wait = OwnWait { told_at: at, since: *since, timeout: *timeout, timed_out: None };
                self.server_waits(wait);
            }
            SocketEventKind::ServerWaitEnds { timed_out } => self.server_wait_ends(at, *timed_out, cx),
            SocketEventKind::Destroyed => self.destroyed(at, seen_at, cx),
            // The server's window: a client that cannot send waits for itself, not for net_write_timeout.
            SocketEventKind::ZeroWindow { by: End::Server, .. }
            | SocketEventKind::WindowUpdate { by: End::Server, .. }
            | SocketEventKind::ZeroWindowProbe { by: End::Client }
            | SocketEventKind::ZeroWindowProbeAck { by: End::Server }
            // That a client is gone its FIN or RST tells.
            | SocketEventKind::ProcessEnds { .. }
            // The tracker has dropped it.
            | SocketEventKind::ObserversOwn => {}
        }
        self.judge(at, cx);
    }

    fn reader(&self) -> Option<Box<Reader>> {
        let owner = self.client.holder_details()?;
        let (pid, comm) = (owner.process.pid, owner.process.comm.clone());
        Some(Box::new(Reader { pid, comm, place: owner.place().map(str::to_owned) }))
    }

    /// Tells a finding. Those of one connection never go back in time, even if what they follow from came late.
    fn find(&mut self, at: Timestamp, kind: FindingKind, cx: &mut Context<'_>) {
        let (connection, flow) = (Some(self.id), Some(self.flow));
        let server_program = self.server_program();
        let reader = kind.is_about_reading().then(|| self.reader()).flatten();
        let closed_ack = self.window.closed_ack;
        let (account, statement) = match kind {
            FindingKind::Stalled { .. } | FindingKind::Lost { .. } => {
                (self.account().cloned().map(Box::new), self.statement().cloned().map(Box::new))
            }
            _ => (None, None),
        };
        let history = self.history_mut();
        history.note(at, &kind, closed_ack);
        history.last_finding = history.last_finding.max(at);
        let at = history.last_finding;
        cx.findings.push_back(Finding {
            at,
            connection,
            flow,
            server_program,
            reader,
            account,
            statement,
            kind,
        });
    }
}
