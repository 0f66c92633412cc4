//! Whether the server waits for its client, and since when: the model behind the write clock.
//!
//! [`Connection::server_wait`] answers from everything known of the connection. The server's own socket says it, if
//! it can be seen ([`sockets`](super::sockets) keeps when it was written to). Otherwise the client's side has to do,
//! where the truth is a range. A server's kernel lets it write again when a third of its send buffer is drained, so a
//! wait survives every opening of the window that lets less through. How large that buffer is cannot be seen from
//! here, only how large it can be ([`Config::server_send_buffer`]): the wait began at the earliest when all but a
//! third of the largest buffer had been acknowledged, at the latest with the last bytes that were.
//!
//! Two things cannot be told from the client's side. A server that still computes when the window closes fills its
//! buffer first and begins to wait later, or never if the rest fits. And a client that reads little from a server with
//! a small buffer looks like one that reads too little from a server with a large one: its clock never runs out, as
//! the latest start moves on with each byte, but a warning stays.

use std::time::Duration;

use crate::clock::{TimeoutSource, WriteClock};
use crate::config::Config;
use crate::connection::{Connection, GRACE, Greeting, LastWrite, Limits, SocketReading, Stall, Told};
use crate::time::{TimeRange, Timestamp};

/// A kernel that has data to send shows it within this time: by the data if the window is open, by a probe if it is
/// closed. Both come after one retransmission timeout (`tcp_check_probe_timer`, include/net/tcp.h).
const QUIET: Duration = Duration::from_secs(2);

/// A window that stays open so long is not what the server waits for: it closes, or nearly so, within a moment when a
/// full buffer stands behind it.
const OPEN: Duration = Duration::from_secs(5);

/// The kernel looks whether there is room only when it begins a new segment buffer, so that a queue exceeds its limit
/// by one of them with its overhead (`tcp_sendmsg_locked`, net/ipv4/tcp.c).
const SEGMENT_BUFFER: u64 = 68 * 1024;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It does not wait, or nothing waits behind the window, as far as is known; it did not wait at this moment.
    None(Timestamp),
    /// It cannot be told yet.
    Undecided {
        /// When it is decided at the latest.
        until: Option<Timestamp>,
    },
    /// It has waited since some moment of this range, or has given up after that.
    Since(TimeRange),
}

impl Connection {
    /// Whether the server waits for this client, judged at `at` while its window is closed or was closed lately.
    pub(super) fn server_wait(&self, stall: &Stall, at: Timestamp, config: &Config) -> Wait {
        let Some(wait) = self.running_wait() else { return self.wait_by_model(stall, at, config) };
        if let Some(since) = wait.since {
            return Wait::Since(since);
        }
        // That it waits is certain; since when, the model tells better.
        match self.wait_by_model(stall, at, config) {
            Wait::Since(since) if since.earliest <= wait.told_at => {
                Wait::Since(TimeRange { latest: since.latest.min(wait.told_at), ..since })
            }
            _ => Wait::Since(Self::begun_before_told(wait, stall)),
        }
    }

    /// The same, where the server's own wait is not seen.
    fn wait_by_model(&self, stall: &Stall, at: Timestamp, config: &Config) -> Wait {
        if let Some(said_at) = stall.all_written.filter(|said_at| *said_at >= self.window.changed_at) {
            return Wait::None(said_at);
        }
        if let Some((read_at, sample)) = self.server_shows() {
            if !is_waiting(sample, self.last_write.as_deref()) {
                return Wait::None(read_at);
            }
            let begun = self.begun_at_server(stall, sample, at, config);
            // The server's own wait is read a moment after its socket, and tells the timeout.
            let until = begun.earliest + patience(config);
            let is_worth_it = self.timeout.source == TimeoutSource::Assumed && !stall.announced;
            return if is_worth_it && at < until {
                Wait::Undecided { until: Some(until) }
            } else {
                Wait::Since(begun)
            };
        }
        if let Some(end) = self.wait_ends_at(stall).filter(|end| *end <= at) {
            return Wait::None(end);
        }
        let until = stall.closed.earliest + patience(config);
        let probed = stall.probes.count() > 0;
        match self.window.told {
            _ if self.window.closed_since.is_none() => {
                let begun = self.begun(stall, at, config);
                if begun.earliest > stall.closed.latest {
                    Wait::None(begun.earliest)
                } else {
                    Wait::Since(begun)
                }
            }
            // Without segments there are no probes to see. Rather an alarm too many than one too few.
            Told::BySockets => match self.server_sample_due(config) {
                Some(until) if at < until => Wait::Undecided { until: Some(until) },
                _ => Wait::Since(self.begun(stall, at, config)),
            },
            // Data came as soon as the window was open: more of it waits, until the missing probe tells otherwise. That
            // is believed of a wait that is known, or by when it would have used a good part of its time.
            Told::BySegments if !probed && stall.reopened => {
                let begun = self.begun(stall, at, config);
                let clock = WriteClock { started: begun, timeout: self.timeout };
                let is_due = clock.used_at(config.warning_share) <= at;
                if stall.announced || is_due { Wait::Since(begun) } else { Wait::Undecided { until: None } }
            }
            Told::BySegments if !probed => Wait::Undecided { until: None },
            // A probe proves that the server's kernel has something unsent. Where the server's socket can be seen,
            // it will tell soon whether the rest fits into it; that is worth a little patience.
            Told::BySegments if self.server.is_alive() && at < until => {
                Wait::Undecided { until: Some(until) }
            }
            Told::BySegments => Wait::Since(self.begun(stall, at, config)),
        }
    }

    /// When the server's socket, as it was read last, showed that it does not wait: a wait that shows itself later has begun
    /// after that.
    pub(super) fn shown_not_to_wait(&self) -> Option<Timestamp> {
        let (read_at, sample) = self.server.socket.as_deref()?;
        (!is_waiting(sample, self.last_write.as_deref())).then_some(*read_at)
    }

    /// What the server's socket says of the window as it is now, or said of it before it was gone.
    fn server_shows(&self) -> Option<(Timestamp, &SocketReading)> {
        let (at, sample) = self.server.socket.as_deref()?;
        (*at >= self.window.changed_at).then_some((*at, sample))
    }

    /// When it shows, if nothing happens until then, that the server does not wait: its kernel has nothing to send.
    pub(super) fn wait_ends_at(&self, stall: &Stall) -> Option<Timestamp> {
        if self.running_wait().is_some() || self.server_shows().is_some() {
            return None;
        }
        let changed_at = self.window.changed_at;
        if self.window.closed_since.is_none() {
            let quiet_since = changed_at.max(self.last_progress.unwrap_or_default());
            return Some((quiet_since + QUIET).min(changed_at + OPEN));
        }
        let is_probed = stall.probes.count() > 0 || self.window.told == Told::BySockets;
        (stall.reopened && !is_probed).then_some(changed_at + QUIET)
    }

    /// When [`server_wait`](Self::server_wait), undecided now, is decided at the latest.
    pub(super) fn server_wait_decided_at(&self, stall: &Stall, config: &Config) -> Option<Timestamp> {
        match self.server_wait(stall, stall.closed.earliest, config) {
            Wait::Undecided { until } => until,
            _ => None,
        }
    }

    /// Where both sockets are polled, the server's is read within the same poll as the client's, a moment before or
    /// after it.
    fn server_sample_due(&self, config: &Config) -> Option<Timestamp> {
        let (at, _) = self.client.socket.as_deref()?;
        let polled = self.server.socket.is_some() && self.server.is_alive();
        // In the first poll it is not known yet whether the server's socket is on this host as well.
        let is_first = *at == self.first_seen;
        (polled || is_first).then(|| *at + patience(config))
    }

    /// When the wait began, by what the client has acknowledged.
    fn begun(&self, stall: &Stall, at: Timestamp, config: &Config) -> TimeRange {
        let limits = Limits {
            until_writable: u64::from(config.server_send_buffer) / 3 + SEGMENT_BUFFER,
            held: held(config),
            timeout: self.timeout.duration,
            abort_shows: self.abort_shows(),
        };
        let begun = stall.began_to_wait().unwrap_or_else(|| {
            let begun = self.without_held_back(stall.curve.begun_within(&limits, at), stall);
            let latest = begun.latest + self.time_to_fill(stall, begun, limits.held);
            // A server whose time would be up by now, and does not show it, has begun later.
            let still_waits = if limits.abort_shows { at - (limits.timeout + GRACE) } else { begun.earliest };
            TimeRange { earliest: begun.earliest.max(still_waits.min(latest)), latest }
        });
        self.by_writes(begun, stall)
    }

    /// When the wait began, by how much of the server's full buffer has been drained since.
    fn begun_at_server(
        &self,
        stall: &Stall,
        sample: &SocketReading,
        at: Timestamp,
        config: &Config,
    ) -> TimeRange {
        let (limit, used) = (u64::from(sample.send_buffer), u64::from(sample.send_buffer_used));
        if limit == 0 || !lacks_room(sample) {
            return self.begun(stall, at, config);
        }
        // Nine tenths and more of the memory of a full queue are payload.
        let drained = limit.saturating_sub(used) * 9 / 10;
        let before = self.last_write.as_deref().and_then(|write| write.before);
        let has_grown = before.is_none_or(|before| before.send_buffer < sample.send_buffer);
        let at_least = if has_grown { 0 } else { drained };
        let at_most = (limit + SEGMENT_BUFFER).saturating_sub(used);
        let late = stall.began_to_wait();
        self.by_writes(late.unwrap_or_else(|| stall.curve.begun_with(at_least..=at_most, at)), stall)
    }

    /// The server is known to have written into its socket last at some time, and not since then until its socket was
    /// read last: its wait began with that, or after something was acknowledged since. That says nothing of a server that
    /// was found not to wait after it wrote.
    fn by_writes(&self, range: TimeRange, stall: &Stall) -> TimeRange {
        let (Some(write), Some((read_at, _))) = (self.last_write.as_deref(), self.server.socket.as_deref())
        else {
            return range;
        };
        if stall.curve.idle_at() > write.until {
            return range;
        }
        let begun = write.before.map(|before| before.at);
        if stall.curve.last_advance() > *read_at {
            let earliest = begun.filter(|begun| *begun < range.earliest && !stall.curve.is_known_at(*begun));
            return TimeRange { earliest: earliest.unwrap_or(range.earliest), ..range };
        }
        let earliest = begun.map_or(range.earliest, |begun| begun.max(range.earliest));
        let latest = range.latest.min(write.until);
        if earliest <= latest {
            TimeRange { earliest, latest }
        } else {
            TimeRange { earliest: begun.unwrap_or(write.until), latest: write.until }
        }
    }

    /// Whether it would have been seen that the server has given up: its socket shows it, and so does the RST of a
    /// server that resets.
    pub(super) fn abort_shows(&self) -> bool {
        let resets = self.greeting().is_some_and(Greeting::resets_at_abort);
        self.server.state.is_some() || (resets && self.window.told == Told::BySegments)
    }
}

/// The most a server's kernel holds of one connection. A server that sends more after some moment wrote after it.
pub(super) fn held(config: &Config) -> u64 {
    u64::from(config.server_send_buffer) + SEGMENT_BUFFER
}

/// How long a probe waits for a sample of the server's socket, and that for the server's own wait.
fn patience(config: &Config) -> Duration {
    config.debounce.saturating_mul(3) / 2
}

/// Whether the server's write waits, by its own socket.
///
/// mysqld begins to wait when its queue has come to the limit, and waits as long as the socket is not writable. A
/// queue that has never come to the limit since the last write is that of a server that has written all it had.
fn is_waiting(sample: &SocketReading, last_write: Option<&LastWrite>) -> bool {
    if sample.send_queue == 0 {
        return false;
    }
    let before = last_write.and_then(|write| write.before);
    let was_full = before.is_none_or(|before| {
        // The memory of what was acknowledged since is no more than twice its payload.
        let drained = sample.bytes_acked.saturating_sub(before.acked).saturating_mul(2);
        u64::from(sample.send_buffer_used).saturating_add(drained) >= u64::from(before.send_buffer)
    });
    let had_unsent =
        |limit| before.is_none_or(|before| sample.written().saturating_sub(before.sent) >= limit);
    let lacks_sending = sample
        .notsent_lowat
        .is_some_and(|limit| u64::from(sample.not_sent) * 2 >= limit.into() && had_unsent(limit.into()));
    (lacks_room(sample) && was_full) || lacks_sending
}

/// Whether the queue fills more than two thirds of the buffer: then the socket is not writable
/// (`__sk_stream_is_writeable`, include/net/sock.h: free space of at least half the queue).
fn lacks_room(sample: &SocketReading) -> bool {
    // Without socket memory in the diagnostics the queue alone has to do.
    sample.send_buffer == 0 || u64::from(sample.send_buffer_used) * 3 > u64::from(sample.send_buffer) * 2
}
