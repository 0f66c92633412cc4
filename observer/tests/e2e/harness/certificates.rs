//! Certificates as an administrator makes them, with openssl(1).

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::names::temporary_directory;
use super::process::run;

/// An authority, and a server whose certificate it has signed.
pub(crate) struct Certificates {
    place: TempDir,
}

impl Certificates {
    /// For the server at `address`.
    pub(crate) fn new(address: IpAddr) -> anyhow::Result<Self> {
        let certificates = Self { place: temporary_directory()? };
        let kinds = format!(
            "[req]\ndistinguished_name=name\n[name]\n\
             [authority]\nbasicConstraints=critical,CA:TRUE\n\
             [server]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:{address}\n"
        );
        fs::write(certificates.file("kinds"), kinds).context("writing what the certificates are for")?;
        certificates.make("authority", &[])?;
        let [authority, key] = ["authority.pem", "authority-key.pem"].map(|name| certificates.file(name));
        certificates.make("server", &["-CA".into(), authority, "-CAkey".into(), key])?;
        Ok(certificates)
    }

    fn make(&self, what: &str, signed_by: &[PathBuf]) -> anyhow::Result<()> {
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-extensions", what])
            .args(["-subj", &format!("/CN={what} of a test")])
            .arg("-config")
            .arg(self.file("kinds"))
            .arg("-keyout")
            .arg(self.file(&format!("{what}-key.pem")))
            .arg("-out")
            .arg(self.file(&format!("{what}.pem")))
            .args(signed_by))
        .with_context(|| format!("making the certificate of the {what}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// What makes a server use them.
    pub(crate) fn options(&self) -> [String; 2] {
        let option = |name, file| format!("--ssl-{name}={}", self.file(file).display());
        [option("cert", "server.pem"), option("key", "server-key.pem")]
    }
}
