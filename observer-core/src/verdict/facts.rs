//! What is known of a connection, as the rules of the verdict ask for it.

use std::time::Duration;

use crate::clock::{TimeoutSource, WriteClock};
use crate::config::Config;
use crate::connection::{
    Connection, Ending, Gone, Greeting, History, Phase, ServerFin, Siblings, Unanswered,
};
use crate::flow::End;
use crate::statement::StatementKind;
use crate::time::Timestamp;

/// What a server says when it closes it says at most this long before.
const GOODBYE: Duration = Duration::from_secs(5);

/// How much earlier and later than its deadline a server may be seen to give up: what is known of its start is not
/// exact, its `poll` has some slack, and it rolls its statement back before it closes.
const EARLY: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(1);

/// How far from whole seconds a timeout may be measured.
const OFF: Duration = Duration::from_millis(80);

/// One connection, at the moment it is judged.
pub(super) struct Facts<'a> {
    pub(super) connection: &'a Connection,
    pub(super) now: Timestamp,
    pub(super) config: &'a Config,
    history: Option<&'a History>,
}

/// A stall, and whether and when it was over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standstill {
    /// When the window closed.
    pub(super) since: Timestamp,
    /// The clock that ran.
    pub(super) clock: WriteClock,
    /// When the client read again; `None` if that was not seen, or the server was lost before.
    pub(super) over: Option<Timestamp>,
}

/// What is taken for wait_timeout, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitTimeout {
    pub(super) duration: Duration,
    pub(super) assumed: bool,
}

/// Where a moment lies, seen from the deadline of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versus {
    Before,
    At,
    After,
}

impl<'a> Facts<'a> {
    pub(super) fn new(connection: &'a Connection, now: Timestamp, config: &'a Config) -> Self {
        Self { connection, now, config, history: connection.history.as_deref() }
    }

    pub(super) fn history(&self) -> Option<&'a History> {
        self.history
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.connection.ending()
    }

    pub(super) fn phase(&self) -> Phase {
        self.connection.phase()
    }

    pub(super) fn fin(&self) -> Option<ServerFin> {
        self.history?.fin
    }

    /// The number of the ERR packet with which the server took its leave.
    pub(super) fn error(&self) -> Option<u16> {
        let history = self.history?;
        let (at, code) = history.error?;
        (history.ending?.at.since(at) <= GOODBYE).then_some(code)
    }

    /// Data that is sent again and again without an answer.
    pub(super) fn unanswered(&self) -> Option<Unanswered> {
        self.history?.unanswered.filter(|unanswered| unanswered.retransmissions() > 0)
    }

    /// Whether the server had sent again and again, without an answer, for as long as it waits until it can write, when it
    /// ended the connection.
    pub(super) fn gave_up_unanswered(&self) -> bool {
        let timeout = self.connection.timeout();
        let (Some(unanswered), Some(ending)) = (self.unanswered(), self.ending()) else { return false };
        let silence = ending.at.since(unanswered.since) + EARLY;
        unanswered.by == End::Server
            && (timeout.source == TimeoutSource::Assumed || silence >= timeout.duration)
    }

    /// Whether the server's own wait until it could write had run out when the connection ended.
    pub(super) fn own_wait_ran_out(&self) -> bool {
        let ran_out = self.connection.own_wait.as_deref().and_then(|wait| wait.timed_out);
        ran_out.zip(self.ending()).is_some_and(|(at, ending)| ending.at.since(at) <= LATE)
    }

    pub(super) fn has_quit(&self) -> bool {
        self.history.is_some_and(|history| history.quit)
    }

    /// When the server's own socket showed that it had closed.
    pub(super) fn gave_up(&self) -> Option<Timestamp> {
        self.history?.gave_up
    }

    /// When the server's process list no longer had the session, where that is what showed that it had given up.
    pub(super) fn gone(&self) -> Option<Gone> {
        self.history?.gone
    }

    /// Whether the server's process was ending when its socket was closed: the kernel did that.
    pub(super) fn server_died(&self) -> bool {
        self.history.is_some_and(|history| history.server_died)
    }

    pub(super) fn siblings(&self) -> Option<Siblings> {
        self.history?.siblings
    }

    pub(super) fn greeting(&self) -> Option<&'a Greeting> {
        self.connection.greeting()
    }

    /// Whether the server gives up with an RST (MariaDB); `None` where its greeting was not seen.
    pub(super) fn resets_at_timeout(&self) -> Option<bool> {
        self.greeting().map(Greeting::resets_at_abort)
    }

    /// How many stalls came to a good end.
    pub(super) fn recoveries(&self) -> u32 {
        self.history.map_or(0, |history| history.past.count)
    }

    /// Whether it stood still and read on, also where it ended before that could be told.
    pub(super) fn went_on(&self) -> bool {
        self.recoveries() > 0 || self.stall().is_some() && self.connection.window_closed_since().is_none()
    }

    /// The stall in which the connection is or ended; one that was told.
    pub(super) fn stall(&self) -> Option<Standstill> {
        let stall = self.history?.stall?;
        // The clock may have been narrowed since it was told last.
        let clock = self.connection.clock().copied().unwrap_or(stall.clock);
        Some(Standstill { since: stall.since, clock, over: None })
    }

    /// The last stall that was over before the connection ended.
    pub(super) fn last_stall(&self) -> Option<Standstill> {
        let past = self.history?.past.last?;
        Some(Standstill { since: past.stall.since, clock: past.stall.clock, over: Some(past.over) })
    }

    /// Bytes that the server sent between the closing of the window in the last stall and its FIN.
    pub(super) fn sent_behind_last_stall(&self) -> Option<u32> {
        let acknowledged = self.history?.past.last?.acknowledged?;
        let fin = self.fin()?;
        fin.seq.is_after(acknowledged).then(|| fin.seq.distance_from(acknowledged))
    }

    /// Whether the server was called lost when the connection ended.
    pub(super) fn was_lost(&self) -> bool {
        self.phase() == Phase::Lost || self.history.is_some_and(|history| history.was_lost)
    }

    /// When the client was last heard of with data, up to the end.
    pub(super) fn command(&self) -> Option<Timestamp> {
        let history = self.history?;
        let ended = history.ending?.at;
        let known = self.connection.commanded_at().filter(|at| *at <= ended).max(history.command);
        known.or_else(|| self.by_sockets(ended).map(|(command, _)| command))
    }

    /// When the client last acknowledged data of the server, up to the end.
    pub(super) fn reply(&self) -> Option<Timestamp> {
        let history = self.history?;
        let ended = history.ending?.at;
        let known = self.connection.last_progress.filter(|at| *at <= ended).max(history.reply);
        known.or_else(|| self.by_sockets(ended).map(|(_, reply)| reply))
    }

    /// The last data of the client and of the server by diagnostics of a socket, where those are all there is.
    fn by_sockets(&self, ended: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let client = self.connection.client.socket.as_deref();
        let server = self.connection.server.socket.as_deref();
        let (command, reply) = match (client, server) {
            (Some((at, sample)), _) => (*at - sample.last_data_sent, *at - sample.last_data_received),
            (None, Some((at, sample))) => (*at - sample.last_data_received, *at - sample.last_data_sent),
            (None, None) => return None,
        };
        (command <= ended).then_some((command, reply.min(ended)))
    }

    /// Whether the server sent a few bytes on its own just before its FIN, as it does to say why.
    pub(super) fn has_farewell(&self) -> bool {
        let (Some(fin), Some(command)) = (self.fin(), self.command()) else { return false };
        let nobody_asked = fin.at.since(command) >= Duration::from_secs(1);
        // MariaDB never says why.
        nobody_asked && self.resets_at_timeout() != Some(true) && fin.is_behind_a_farewell()
    }

    /// Whether the server had sent nothing since its last answer when it closed.
    pub(super) fn is_bare(&self) -> bool {
        self.fin().is_some_and(|fin| fin.since_sample == Some(0) || fin.in_result == Some(false))
            && !self.has_farewell()
    }

    /// For how long nobody had said anything when it ended.
    pub(super) fn idle(&self) -> Option<Duration> {
        let ended = self.ending()?.at;
        let command = self.command()?;
        let reply = self.reply().filter(|_| !self.has_farewell());
        Some(ended.since(reply.map_or(command, |reply| reply.max(command))))
    }

    /// Whether the client's last message had not been answered when it ended.
    pub(super) fn was_waiting(&self) -> bool {
        self.command() > self.reply()
    }

    /// Whether the client was sent the binary log, which has no end.
    pub(super) fn reads_binary_log(&self) -> bool {
        self.connection.statement().is_some_and(|asked| asked.command == StatementKind::BinlogDump)
    }

    /// What a client that waits is sent.
    pub(super) fn answer(&self) -> &'static str {
        if self.reads_binary_log() { "the binary log" } else { "a result" }
    }

    /// How long the server waits for a command.
    pub(super) fn wait_timeout(&self) -> WaitTimeout {
        let timeout = self.connection.idle_timeout();
        WaitTimeout { duration: timeout.duration, assumed: timeout.source == TimeoutSource::Assumed }
    }

    /// Whether the connection had been idle for just wait_timeout.
    pub(super) fn fits_wait_timeout(&self) -> bool {
        let timeout = self.wait_timeout().duration;
        self.idle().is_some_and(|idle| idle + EARLY >= timeout && idle <= timeout + LATE)
    }

    /// The whole seconds, two or more, for which the connection had been idle.
    pub(super) fn idle_whole_seconds(&self) -> Option<Duration> {
        whole_seconds(self.idle()?).filter(|idle| *idle >= Duration::from_secs(2))
    }

    /// Whether an application that stood still had done so for long enough to tell it from one that reads slowly.
    pub(super) fn stood_still_for(&self) -> Option<Duration> {
        let ended = self.ending()?.at;
        let closed = self.connection.window_closed_since().filter(|since| *since <= ended)?;
        Some(ended.since(closed)).filter(|time| *time >= Duration::from_secs(1))
    }

    /// Whether it ended within the second in which it was opened.
    pub(super) fn ended_at_once(&self) -> bool {
        let opened = self.connection.opened_at().zip(self.ending());
        opened.is_some_and(|(opened, ending)| ending.at.since(opened) < Duration::from_secs(1))
    }

    /// Bytes the application had yet to read when the server's end became known.
    pub(super) fn unread_at_end(&self) -> Option<u64> {
        self.history?.unread
    }

    pub(super) fn ended_by(&self, end: End) -> bool {
        self.ending().is_some_and(|ending| ending.by == Some(end))
    }
}

impl Standstill {
    /// Where `at` lies, seen from the deadline.
    pub(super) fn versus(&self, at: Timestamp) -> Versus {
        let abort = self.clock.abort();
        if at + EARLY < abort.earliest {
            Versus::Before
        } else if at > abort.latest + LATE {
            Versus::After
        } else {
            Versus::At
        }
    }

    /// Whether nothing at all is known of the timeout.
    pub(super) fn is_timeout_assumed(&self) -> bool {
        self.clock.timeout.source == TimeoutSource::Assumed
    }

    /// The whole seconds after which the server gave up at `at`, if its start is known well enough to tell.
    pub(super) fn whole_seconds_at(&self, at: Timestamp) -> Option<Duration> {
        (self.clock.started.width() <= OFF).then(|| whole_seconds(at.since(self.clock.started.earliest)))?
    }
}

/// The whole seconds that a measured time stands for, if it is close to them: mysqld waits at least its timeout, and
/// the kernel adds a thousandth of it, a tenth of a second at most (`select_estimate_accuracy`, fs/select.c).
fn whole_seconds(time: Duration) -> Option<Duration> {
    let whole = Duration::from_secs((time + OFF).as_secs());
    let late = OFF + (whole / 1000).min(Duration::from_millis(100));
    (whole >= Duration::from_secs(1) && time <= whole + late).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_measured_a_little_long() {
        let cases =
            [(8_006, Some(8)), (7_950, Some(8)), (8_200, None), (60_130, Some(60)), (500, None), (0, None)];
        for (millis, seconds) in cases {
            let time = Duration::from_millis(millis);
            assert_eq!(whole_seconds(time), seconds.map(Duration::from_secs), "{millis} ms");
        }
    }
}
