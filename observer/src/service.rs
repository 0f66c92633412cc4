//! What a service manager is told, and how its journal wants lines to look (sd_notify(3), sd-daemon(3)).

use std::future;
use std::io;
use std::os::fd::AsFd as _;
use std::os::linux::fs::MetadataExt as _;
use std::time::Duration;

use sd_notify::NotifyState;

/// Tells that the observation has begun, and from then on that it goes on, as often as is asked for. It has no end.
///
/// It is a task of the one thread that everything goes through: where that stands still, nothing is told.
pub async fn keep_alive() {
    tell(&[NotifyState::Ready]);
    let Some(timeout) = sd_notify::watchdog_enabled() else { return future::pending().await };
    // Half of it, as sd_watchdog_enabled(3) advises.
    let mut due = tokio::time::interval((timeout / 2).max(Duration::from_millis(1)));
    loop {
        due.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Tells that the observation ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Whoever started the program may have no interest.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

/// Whether standard output is the journal: systemd names its device and inode in `JOURNAL_STREAM` (systemd.exec(5)).
pub fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() else { return false };
    let metadata = std::fs::File::from(stdout).metadata();
    metadata.is_ok_and(|metadata| {
        stream.to_str() == Some(&format!("{}:{}", metadata.st_dev(), metadata.st_ino()))
    })
}
