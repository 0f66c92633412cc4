//! The certificates that this host trusts: they follow its administrator, and do not age in a program.

use anyhow::ensure;
use rustls::pki_types::CertificateDer;

/// All of them.
///
/// # Errors
///
/// When there are none; the message says what can be done.
pub(crate) fn of_host() -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    ensure!(
        !found.certs.is_empty(),
        "this host has no certificates to check a server by: install ca-certificates, or give a file in SSL_CERT_FILE"
    );
    Ok(found.certs)
}
