//! What most cases begin with: two hosts, a server on one of them, and the story's client on the other.

use std::time::Duration;

use observer::demo::Dialect;

use super::Setup;
use super::lab::Lab;
use super::reader::Reader;
use super::server::{Server, story_query};

/// Two hosts, and a server on one of them.
pub(crate) struct Stage<'a> {
    // In the order in which they go.
    pub(crate) server: Server,
    pub(crate) lab: Lab,
    dialect: Dialect,
    setup: &'a Setup,
}

impl<'a> Stage<'a> {
    /// With a server that gives up clients after `timeout`.
    pub(crate) fn new(setup: &'a Setup, dialect: Dialect, timeout: Duration) -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let server = Server::start(setup, dialect, lab.server(), lab.port, timeout)?;
        Ok(Self { server, lab, dialect, setup })
    }

    /// A client that has sent the story's query and has stopped reading.
    pub(crate) fn stalled(&self) -> anyhow::Result<Reader> {
        stalled(Reader::connect(self.setup, &self.lab.client, self.lab.address(), self.query())?)
    }

    /// The same over TLS.
    pub(crate) fn stalled_with_tls(&self) -> anyhow::Result<Reader> {
        stalled(Reader::connect_with_tls(self.setup, &self.lab.client, self.lab.address(), self.query())?)
    }

    fn query(&self) -> &'static str {
        story_query(self.dialect)
    }
}

fn stalled(mut reader: Reader) -> anyhow::Result<Reader> {
    reader.query_and_pause()?;
    Ok(reader)
}
