//! Servers that are asked by TLS, as they take no other connection over a network.

use std::path::Path;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::FindingKind;

use super::account::{Account, url};
use super::{ALL, degraded, ensure_only, told};
use crate::cases::{TIMEOUT, is_lost};
use crate::harness::Setup;
use crate::harness::certificates::Certificates;
use crate::harness::lab::Lab;
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// Of an authority that has signed nothing here.
const STRANGE: &str = "was not signed by an authority in";

/// MySQL with the certificate that it makes for itself, which has no name in it.
pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let other = Certificates::new(lab.address().ip())?;
    let authority = setup.mysqls_authority()?;
    let case = Case { lab, dialect: Dialect::MySql, authority: &authority, other: &other.authority() };
    case.run(setup, &["--performance-schema=ON"], "missing", "is not made out to 10.")
}

/// MariaDB with a certificate that is made out to its address.
pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let certificates = Certificates::new(lab.address().ip())?;
    let (authority, other) = (certificates.authority(), setup.mysqls_authority()?);
    let case = Case { lab, dialect: Dialect::MariaDb, authority: &authority, other: &other };
    let options = certificates.options();
    case.run(setup, &options.each_ref().map(String::as_str), "missing", "MariaDB does not tell")
}

struct Case<'a> {
    lab: Lab,
    dialect: Dialect,
    /// Who has signed the server's certificate.
    authority: &'a Path,
    /// Who has not.
    other: &'a Path,
}

impl Case<'_> {
    /// The server takes no connection without TLS. Whoever is asked in vain does not disturb the one that is asked rightly,
    /// nor the observing. `identified` and `by_name` are what the doctor says where the name in the certificate counts.
    fn run(self, setup: &Setup, options: &[&str], identified: &str, by_name: &str) -> anyhow::Result<()> {
        let Self { lab, dialect, .. } = &self;
        let options = [&["--require-secure-transport=ON"], options].concat();
        let _server = Server::start_with(setup, *dialect, lab.server(), lab.port, TIMEOUT, &options)?;
        let account = Account::new()?;
        let observer = account.observe(lab, &[&self.url("", ""), &self.url("", &ca(self.other))])?;
        let query = story_query(*dialect);
        let mut reader = Reader::connect_with_tls(setup, &lab.client, lab.address(), query)?;
        let client = reader.address;
        reader.query_and_pause()?;
        observer.wait_finding("the loss", client, |kind| {
            is_lost(kind) || matches!(kind, FindingKind::ServerClosed { .. })
        })?;
        let log = observer.stop()?;

        let session = *told(&log, client).first().context("the session")?;
        ensure!(session.user == "reader" && session.thread_id == u64::from(reader.thread_id), "{session:?}");
        let strange = degraded(&log).iter().filter(|why| why.contains(STRANGE)).count();
        ensure!(strange == 1, "{:?}", degraded(&log));
        ensure_only(&log, client)?;
        self.ensure_modes(&account, identified, by_name)
    }

    /// Each mode does what MySQL's client does in it.
    fn ensure_modes(&self, account: &Account, identified: &str, by_name: &str) -> anyhow::Result<()> {
        let (told, refused) = match self.dialect {
            Dialect::MySql => (("ok", ALL), "asks for TLS (error 3159)"),
            // It has no words of its own for it.
            Dialect::MariaDb => (("missing", "MariaDB does not tell"), "Access denied for user 'asker'"),
        };
        let (right, wrong) = (ca(self.authority), ca(self.other));
        for (mode, authority, (begins, says)) in [
            ("DISABLED", "", ("missing", refused)),
            ("PREFERRED", "", told),
            ("REQUIRED", &wrong, told),
            ("VERIFY_CA", &right, told),
            ("VERIFY_CA", &wrong, ("missing", STRANGE)),
            ("VERIFY_IDENTITY", &right, (identified, by_name)),
        ] {
            let lines = account.doctor(&self.lab, &[&self.url(&format!("ssl-mode={mode}"), authority)])?;
            let [line] = lines.as_slice() else { anyhow::bail!("{lines:?}") };
            ensure!(line.starts_with(begins) && line.contains(says), "{mode} {authority}: {line}");
        }
        Ok(())
    }

    fn url(&self, mode: &str, authority: &str) -> String {
        format!("{}?{mode}&{authority}", url("asker", self.lab.address()))
    }
}

fn ca(file: &Path) -> String {
    format!("ssl-ca={}", file.display())
}
