//! The addresses of a server's name.

use std::io;
use std::net::SocketAddr;

use tokio::net::lookup_host;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::trouble::Trouble;

/// Addresses of a name that are tried at most.
const MOST: usize = 8;

const SLOW: &str = "looking up its name takes too long";

/// Looks up one name, once at a time: the C library's look-up cannot be broken off (getaddrinfo(3)), and takes a thread as
/// long as it lasts.
#[derive(Default)]
pub(super) struct Lookup {
    running: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Lookup {
    /// The addresses, in the order in which to try them. What is not known in time goes on, and is waited for the next time.
    pub(super) async fn addresses(
        &mut self,
        host: &str,
        port: u16,
        until: Instant,
    ) -> Result<Vec<SocketAddr>, Trouble> {
        let running = self.running.get_or_insert_with(|| {
            let host = host.to_owned();
            tokio::spawn(async move { Ok(lookup_host((host, port)).await?.take(MOST).collect()) })
        });
        let found = timeout_at(until, running).await.map_err(|_| SLOW)?;
        self.running = None;
        Ok(found.map_err(io::Error::from)??)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_told_and_waited_for_again() {
        let (answer, answered) = oneshot::channel();
        let running = tokio::spawn(async move { Ok(answered.await.unwrap()) });
        let mut lookup = Lookup { running: Some(running) };
        let soon = || Instant::now() + Duration::from_secs(5);
        for _ in 0..2 {
            let error = lookup.addresses("db7.invalid", 3306, soon()).await.unwrap_err();
            assert_eq!(error.to_string(), SLOW);
        }
        let address: SocketAddr = "10.0.0.1:3306".parse().unwrap();
        answer.send(vec![address]).unwrap();
        assert_eq!(lookup.addresses("db7.invalid", 3306, soon()).await.unwrap(), [address]);
        assert_eq!(lookup.addresses("::1", 7, soon()).await.unwrap(), ["[::1]:7".parse().unwrap()]);
    }
}
