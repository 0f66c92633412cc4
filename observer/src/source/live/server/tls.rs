//! TLS to a server, as MySQL's own client has it.
//! <https://dev.mysql.com/doc/refman/en/connection-options.html#encrypted-connection-options>

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, RootCertStore};
use serde::{Deserialize, Serialize};
use sqlx::mysql::MySqlSslMode;

use super::address::Place;
use crate::certificates;

/// How much of TLS is asked for: what MySQL's clients call ssl-mode. Each is more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// None.
    Disabled,
    /// Where the server has it.
    Preferred,
    /// In any case; with whom is not checked.
    Required,
    /// With a server whose certificate an authority of `ssl-ca` has signed.
    VerifyCa,
    /// The same, and the certificate is made out to the host that is asked.
    VerifyIdentity,
}

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().replace('-', "_").as_str() {
            "DISABLED" => Ok(Self::Disabled),
            "PREFERRED" => Ok(Self::Preferred),
            "REQUIRED" => Ok(Self::Required),
            "VERIFY_CA" => Ok(Self::VerifyCa),
            "VERIFY_IDENTITY" => Ok(Self::VerifyIdentity),
            _ => Err("ssl-mode is one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"),
        }
    }
}

impl From<Mode> for MySqlSslMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Disabled => Self::Disabled,
            Mode::Preferred => Self::Preferred,
            Mode::Required => Self::Required,
            Mode::VerifyCa => Self::VerifyCa,
            Mode::VerifyIdentity => Self::VerifyIdentity,
        }
    }
}

/// What a URL or an option file says of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `ssl-mode`.
    pub mode: Option<Mode>,
    /// `ssl-ca`: a file with the certificates of authorities, in PEM.
    pub ca: Option<PathBuf>,
}

impl Wanted {
    /// What this lacks, from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { mode: self.mode.or(other.mode), ca: self.ca.or(other.ca) }
    }

    /// The mode that holds: who names an authority wants it to be looked at, unless he says otherwise.
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.ca.is_some() { Mode::VerifyCa } else { Mode::Preferred })
    }
}

/// TLS to one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tls {
    pub(super) mode: Mode,
    /// The name or address that the server's certificate is to be made out to, where that counts.
    pub(super) host: String,
    /// Whose authorities count, for messages.
    authorities: String,
    /// Their certificates, in PEM.
    pub(super) certificates: String,
}

impl Tls {
    /// TLS to the server at `place`.
    ///
    /// # Errors
    ///
    /// When the certificates cannot be read, or what is wanted does not go together.
    pub(super) fn to(place: &Place, wanted: &Wanted) -> anyhow::Result<Self> {
        let mode = wanted.mode();
        let host = match place {
            Place::Tcp { host, .. } if mode == Mode::VerifyIdentity => host,
            // To an address the server is not named: MySQL's client does not name it to it either.
            Place::Tcp { .. } => "127.0.0.1",
            Place::Socket(_) => "localhost",
        };
        ServerName::try_from(host)
            .with_context(|| format!("{host} is no name or address that a certificate could have"))?;
        let (authorities, certificates) = authorities(mode, wanted)?;
        Ok(Self { mode, host: host.to_owned(), authorities, certificates })
    }

    /// Why there is no TLS, and what can be done about it.
    pub(super) fn trouble(&self, cause: &rustls::Error) -> String {
        use CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
        match cause {
            rustls::Error::InvalidCertificate(UnknownIssuer) => {
                format!("its certificate was not signed by an authority in {} (ssl-ca)", self.authorities)
            }
            rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => format!(
                "its certificate is not made out to {}: subjectAltName counts, the common name does not; \
                 ssl-mode=VERIFY_CA does without it",
                self.host
            ),
            // Nobody vouches for it, but what it signs has to be read.
            rustls::Error::InvalidCertificate(error) if self.mode < Mode::VerifyCa => format!(
                "its certificate is of no use ({error}): it has to be of X.509 version 3; ssl-mode=DISABLED asks without it"
            ),
            rustls::Error::InvalidCertificate(error) => format!("its certificate is not valid: {error}"),
            other if self.mode >= Mode::Required => format!("TLS with it fails: {other}"),
            other => format!("TLS with it fails: {other}; ssl-mode=DISABLED asks without it"),
        }
    }
}

/// Who vouches for a server, in words and by their certificates; nobody where nobody needs to.
fn authorities(mode: Mode, wanted: &Wanted) -> anyhow::Result<(String, String)> {
    let (words, certificates) = match (mode, &wanted.ca) {
        (Mode::Disabled | Mode::Preferred | Mode::Required, _) => return Ok(Default::default()),
        (_, Some(file)) => {
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("reading the certificates in {} (ssl-ca)", file.display()))?;
            (file.display().to_string(), certificates)
        }
        // Of the authorities that a host trusts, any would do, for whichever server.
        (Mode::VerifyCa, None) => bail!("ssl-mode=VERIFY_CA needs ssl-ca: whose certificates count"),
        (Mode::VerifyIdentity, None) => {
            ("the certificates of this host".to_owned(), certificates::of_host()?)
        }
    };
    let vouches =
        |certificate: &&CertificateDer<'_>| RootCertStore::empty().add((*certificate).clone()).is_ok();
    let certificates: String = certificates.iter().filter(vouches).map(pem).collect();
    ensure!(!certificates.is_empty(), "{words} (ssl-ca) holds no certificate in PEM");
    Ok((words, certificates))
}

/// A certificate in PEM (RFC 7468).
fn pem(certificate: &CertificateDer<'_>) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> Place {
        Place::Tcp { host: "db1".to_owned(), port: 3306 }
    }

    #[test]
    fn the_server_is_named_where_that_counts() {
        let named = |place: &Place, mode| {
            let ca = Some("/etc/ssl/certs/ca-certificates.crt".into());
            Tls::to(place, &Wanted { mode: Some(mode), ca }).map(|tls| tls.host)
        };
        let odd = Place::Tcp { host: "db 1".to_owned(), port: 3306 };
        assert_eq!(named(&odd, Mode::Preferred).unwrap(), "127.0.0.1");
        assert!(named(&odd, Mode::VerifyIdentity).unwrap_err().to_string().contains("db 1"));
        assert_eq!(named(&Place::Socket("/s".into()), Mode::Required).unwrap(), "localhost");
    }

    #[test]
    fn what_can_be_done_without_tls_is_said_where_it_is_not_demanded() {
        let tls = |mode| Tls {
            mode,
            host: "db1".to_owned(),
            authorities: "ca.pem".to_owned(),
            certificates: String::new(),
        };
        let bad = rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
        assert!(tls(Mode::Preferred).trouble(&bad).contains("version 3; ssl-mode=DISABLED"));
        assert!(!tls(Mode::VerifyCa).trouble(&bad).contains("DISABLED"));
        let broken = rustls::Error::DecryptError;
        assert!(tls(Mode::Preferred).trouble(&broken).contains("ssl-mode=DISABLED"));
        assert!(!tls(Mode::Required).trouble(&broken).contains("DISABLED"));
        let strange = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(tls(Mode::VerifyCa).trouble(&strange).contains("ca.pem (ssl-ca)"));
    }

    #[test]
    fn an_authority_is_looked_at_unless_told_otherwise() {
        let ca = Some("/ca.pem".into());
        assert_eq!(Wanted { mode: None, ca: ca.clone() }.mode(), Mode::VerifyCa);
        assert_eq!(Wanted { mode: Some(Mode::Required), ca }.mode(), Mode::Required);
        assert_eq!("verify-identity".parse(), Ok(Mode::VerifyIdentity));
        assert!("sesame".parse::<Mode>().unwrap_err().contains("VERIFY_CA"));
    }

    #[test]
    fn authorities_have_to_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let wanted = |mode, ca| Wanted { mode, ca };
        let key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
        for (wanted, why) in [
            (wanted(Some(Mode::VerifyCa), None), "needs ssl-ca"),
            (wanted(None, Some(directory.path().join("nowhere"))), "nowhere (ssl-ca)"),
            (wanted(None, Some(file("empty", ""))), "no certificate in PEM"),
            (wanted(None, Some(file("key", key))), "no certificate in PEM"),
        ] {
            let error = format!("{:#}", Tls::to(&tcp(), &wanted).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }
}
