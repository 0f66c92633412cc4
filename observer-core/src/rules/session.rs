//! What the session sets for itself.

use crate::clock::TimeoutSource;
use crate::config::Config;
use crate::connection::Connection;
use crate::flow::Vantage;
use crate::session::{Greeting, Session};
use crate::statement::{Account, Statement};

impl Connection {
    pub(super) fn greeted(&mut self, greeting: Greeting) {
        self.session_mut().greeted(greeting);
    }

    pub(super) fn login(
        &mut self,
        seen_at: Vantage,
        capabilities: u32,
        tls: bool,
        account: Option<&Account>,
    ) {
        self.session_mut().login(seen_at, capabilities, tls, account);
    }

    pub(super) fn asked(&mut self, statement: &Statement) {
        self.session_mut().asked(statement);
    }

    pub(super) fn command(&mut self, seen_at: Vantage, text: &str, config: &Config) {
        self.session_mut().command(seen_at, text);
        self.set_timeout(config);
    }

    pub(super) fn reply(&mut self, seen_at: Vantage, ok: bool, config: &Config) {
        if let Some(session) = self.session.as_deref_mut() {
            session.reply(seen_at, ok);
            self.set_timeout(config);
        }
    }

    /// So many of the client's commands were not told as there were too many: what the session has set is not known.
    pub(super) fn untold(&mut self, by_client: u32, by_server: u32, config: &Config) {
        if by_client > 0 && self.session_mut().untold(by_client) {
            self.set_timeout(config);
        }
        self.saw_loss |= by_client > 0 || by_server > 0;
    }

    /// A result comes that the client does not read: what was asked for before it was answered.
    pub(super) fn command_was_answered(&mut self, config: &Config) {
        if let Some(session) = self.session.as_deref_mut() {
            session.take_for_granted();
            self.set_timeout(config);
        }
    }

    pub(super) fn session_mut(&mut self) -> &mut Session {
        self.session.get_or_insert_default()
    }

    /// A wait that has begun goes on with the timeout it began with: its clock has its own.
    pub(super) fn set_timeout(&mut self, config: &Config) {
        let global = config.net_write_timeout_of(self.flow.server);
        let known = self.session.as_ref().map_or(global, |session| session.write_timeout(global));
        // What a wait of the server has shown holds until the session is seen to set another.
        if known.source == TimeoutSource::Session || self.timeout.source != TimeoutSource::Wait {
            self.timeout = known;
        }
    }
}
