//! TLS to a server, as MySQL's own client has it.
//! <https://dev.mysql.com/doc/refman/en/connection-options.html#encrypted-connection-options>

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::address::Place;
use super::packets::Wire;
use super::trouble::Trouble;
use super::verifier::Verifier;
use crate::certificates;

/// How much of TLS is asked for: what MySQL's clients call ssl-mode. Each is more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone)]
pub(super) struct Tls {
    mode: Mode,
    /// Whose authorities count, for messages.
    authorities: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// TLS to the server at `place`; `None` where there is to be none. What is preferred is not needed on a Unix socket,
    /// which nobody listens in on.
    ///
    /// # Errors
    ///
    /// When the certificates cannot be read, or what is wanted does not go together.
    pub(super) fn to(place: &Place, wanted: &Wanted) -> anyhow::Result<Option<Self>> {
        let mode = wanted.mode();
        let (host, least) = match place {
            Place::Tcp { host, .. } => (host.as_str(), Mode::Preferred),
            Place::Socket(_) => ("localhost", Mode::Required),
        };
        if mode < least {
            return Ok(None);
        }
        let name = match mode {
            Mode::VerifyIdentity => ServerName::try_from(host.to_owned())
                .with_context(|| format!("{host} is no name or address that a certificate could have"))?,
            // It is not sent and not looked at.
            _ => Ipv4Addr::LOCALHOST.into(),
        };
        let (authorities, roots) = authorities(mode, wanted)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(&provider, roots, mode == Mode::VerifyIdentity));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("setting up TLS")?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // MySQL's client does not name the server to it either.
        config.enable_sni = false;
        Ok(Some(Self { mode, authorities, name, config: Arc::new(config) }))
    }

    /// Whether a server without TLS is not to be asked.
    pub(super) fn is_required(&self) -> bool {
        self.mode >= Mode::Required
    }

    /// The connection that `wire` becomes.
    pub(super) async fn over(&self, wire: Box<dyn Wire>) -> Result<impl Wire + use<>, Trouble> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), wire).await.map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
            cause.map(|cause| self.trouble(cause)).unwrap_or(Trouble::Io(error))
        })
    }

    /// Why there is no TLS, and what can be done about it.
    fn trouble(&self, cause: &rustls::Error) -> Trouble {
        use CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
        Trouble::Tls(match cause {
            rustls::Error::InvalidCertificate(UnknownIssuer) => {
                format!("its certificate was not signed by an authority in {} (ssl-ca)", self.authorities)
            }
            rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => format!(
                "its certificate is not made out to {}: subjectAltName counts, the common name does not; \
                 ssl-mode=VERIFY_CA does without it",
                self.name.to_str()
            ),
            rustls::Error::InvalidCertificate(error) => format!("its certificate is not valid: {error}"),
            other if self.is_required() => format!("TLS with it fails: {other}"),
            other => format!("TLS with it fails: {other}; ssl-mode=DISABLED asks without it"),
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Who vouches for a server, in words and as what they have signed with; `None` where nobody needs to.
fn authorities(mode: Mode, wanted: &Wanted) -> anyhow::Result<(String, Option<RootCertStore>)> {
    let (words, certificates) = match (mode, &wanted.ca) {
        (Mode::Disabled | Mode::Preferred | Mode::Required, _) => return Ok((String::new(), None)),
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
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    ensure!(!roots.is_empty(), "{words} (ssl-ca) holds no certificate in PEM");
    Ok((words, Some(roots)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> Place {
        Place::Tcp { host: "db1".to_owned(), port: 3306 }
    }

    fn mode_at(place: &Place, mode: Option<&str>) -> Option<Mode> {
        let wanted = Wanted { mode: mode.map(|mode| mode.parse().unwrap()), ca: None };
        Tls::to(place, &wanted).unwrap().map(|tls| tls.mode)
    }

    #[test]
    fn it_is_preferred_but_not_on_a_socket() {
        let socket = Place::Socket("/s".into());
        assert_eq!(mode_at(&tcp(), None), Some(Mode::Preferred));
        assert_eq!(mode_at(&tcp(), Some("disabled")), None);
        assert_eq!(mode_at(&socket, None), None);
        assert_eq!(mode_at(&socket, Some("Required")), Some(Mode::Required));
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
        let key = include_str!("key_test.pem");
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
