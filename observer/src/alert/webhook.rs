//! A URL that is posted to for each alert.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::sync::oneshot;
use ureq::Agent;
use ureq::http::{StatusCode, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::Way;
use super::courier::{Courier, Delivery};
use super::headers::Headers;
use crate::certificates;

/// How long, and how often, it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One post takes so long at most, from the name's look-up to the answer.
    pub timeout: Duration,
    /// How often a message is posted at most.
    pub attempts: u32,
    /// The pause after the first failure; each that follows is twice as long.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), attempts: 5, pause: Duration::from_secs(1) }
    }
}

/// A URL, and what is sent there with each message.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: Uri,
    /// The part of it that is no secret, for messages.
    place: String,
    headers: Headers,
    patience: Patience,
    agent: Agent,
}

/// Why a post did not arrive.
enum Failure {
    /// It may the next time.
    ForNow(anyhow::Error),
    /// It will not.
    ForGood(anyhow::Error),
}

impl Webhook {
    /// Posts to `url` with `headers`.
    ///
    /// # Errors
    ///
    /// When it is no URL of HTTP, when it holds a password, or when there are no certificates to check an https server by.
    /// No message holds the whole URL: its path is often a secret.
    pub fn new(url: &str, headers: Headers, patience: Patience) -> anyhow::Result<Self> {
        let url: Uri = url.parse().ok().context("--alert-url is not a URL")?;
        let is_https = url.scheme_str() == Some("https");
        ensure!(
            is_https || url.scheme_str() == Some("http"),
            "--alert-url is not an http:// or https:// URL"
        );
        let place = url.authority().context("--alert-url has no host")?.to_string();
        ensure!(
            !place.contains('@'),
            "--alert-url has a user in it, which everybody can read on a command line: give the field \
             Authorization in a file, by --alert-header-file"
        );
        let mut config = Agent::config_builder()
            .timeout_global(Some(patience.timeout))
            .http_status_as_error(false)
            // A secret stays with the one it was given for.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("observer/", env!("CARGO_PKG_VERSION")));
        if is_https {
            config = config.tls_config(tls()?);
        }
        Ok(Self { url, place, headers, patience, agent: config.build().new_agent() })
    }

    /// One post, on a thread of its own: ureq waits where it is called.
    async fn post(&self, message: Arc<[u8]>) -> Result<(), Failure> {
        let (webhook, (sender, answer)) = (self.clone(), oneshot::channel());
        thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || sender.send(webhook.post_here(&message)))
            .map_err(|error| Failure::ForNow(anyhow!(error).context("starting a thread")))?;
        let status = answer.await.map_err(|_| Failure::ForGood(anyhow!("the thread ended")))?;
        let status = status.map_err(|error| Failure::ForNow(anyhow!(error)))?;
        let answered = || anyhow!("it answered {status}");
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Failure::ForNow(answered())),
            status if status.is_server_error() => Err(Failure::ForNow(answered())),
            _ => Err(Failure::ForGood(answered())),
        }
    }

    fn post_here(&self, message: &[u8]) -> Result<StatusCode, ureq::Error> {
        let mut request = self.agent.post(&self.url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        // What else it answers does not matter.
        request.send(message).map(|response| response.status())
    }

    async fn post_patiently(&self, message: Arc<[u8]>) -> anyhow::Result<()> {
        let (mut attempt, mut pause) = (1, self.patience.pause);
        loop {
            match self.post(Arc::clone(&message)).await {
                Ok(()) => return Ok(()),
                Err(Failure::ForNow(_)) if attempt < self.patience.attempts => {}
                Err(Failure::ForNow(why) | Failure::ForGood(why)) => {
                    let posts = if attempt == 1 { "1 post".to_owned() } else { format!("{attempt} posts") };
                    return Err(why).with_context(|| format!("{posts} to {}", self.place));
                }
            }
            tokio::time::sleep(jittered(pause)).await;
            attempt += 1;
            pause *= 2;
        }
    }
}

impl Courier for Webhook {
    fn way(&self) -> Way {
        Way::Url
    }

    fn deliver(&self, message: Arc<[u8]>) -> Delivery<'_> {
        Box::pin(self.post_patiently(message))
    }
}

/// Servers are checked by the certificates that the host trusts.
fn tls() -> anyhow::Result<TlsConfig> {
    let found = certificates::of_host()?;
    let certificates: Vec<_> =
        found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// Half of `pause` to all of it, by chance: a fleet that fails together does not try again together.
fn jittered(pause: Duration) -> Duration {
    // The keys of a new state are chosen by chance.
    let chance = RandomState::new().hash_one(());
    pause.mul_f64(0.5 + f64::from(u16::try_from(chance >> 48).unwrap_or(0)) / 131_072.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        format!("{:#}", Webhook::new(url, Headers::new(), Patience::default()).unwrap_err())
    }

    #[test]
    fn what_is_no_url_of_http_is_refused_and_not_repeated() {
        for (url, why) in [
            ("hunter2", "http://"),
            ("ftp://example.com/hunter2", "http://"),
            ("http:///hunter2", "--alert-url"),
            ("https://etl:hunter2@example.com/", "--alert-header-file"),
        ] {
            let said = refusal(url);
            assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn pauses_differ_and_stay_in_their_range() {
        let pauses: Vec<_> = (0..100).map(|_| jittered(Duration::from_secs(8))).collect();
        assert!(pauses.iter().all(|pause| (4..=8).contains(&pause.as_secs())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
