//! One sentence for each finding, with its numbers.

use std::time::Duration;

use crate::clock::{Timeout, TimeoutSource, WriteClock};
use crate::connection::ServerProgram;
use crate::event::LossPoint;
use crate::finding::{Finding, FindingKind, Reader};
use crate::flow::End;
use crate::text::asked::{logged_in, waits_for};
use crate::text::clean::clean;
use crate::text::units::{Bytes, Seconds, setting};
use crate::time::Timestamp;

/// Characters of a statement in a sentence.
const SHORT: usize = 60;

impl Finding {
    /// The finding in one line for a person. It holds no control characters.
    pub fn sentence(&self) -> String {
        let reader = self.reader.as_deref().map_or_else(String::new, |reader| format!(" {}", reads(reader)));
        self.what() + &reader
    }

    fn what(&self) -> String {
        let server = self.server_program;
        let client = self.flow.map_or_else(|| "A client".to_owned(), |flow| flow.client.to_string());
        match &self.kind {
            FindingKind::Stalled { clock, queued, unread, .. } => {
                let waiting = match (queued, unread) {
                    (Some(queued), _) => format!(" with {} queued", Bytes(*queued)),
                    (None, Some(unread)) => format!(" with {} unread", Bytes(*unread)),
                    (None, None) => String::new(),
                };
                let countdown = countdown(clock, self.at);
                let asked = self.asked();
                format!("{client} has stopped reading{waiting}. {server} drops it {countdown}.{asked}")
            }
            FindingKind::Warning { clock, used } | FindingKind::Critical { clock, used } => {
                let waited = Seconds(self.at.since(clock.started.earliest));
                let up_to = up_to(clock);
                let share = match clock.timeout.source {
                    // The condition comes with the countdown.
                    TimeoutSource::Assumed => String::new(),
                    _ => format!(
                        ", {} of net_write_timeout ({})",
                        percent(*used),
                        setting(clock.timeout.duration)
                    ),
                };
                let countdown = countdown(clock, self.at);
                format!(
                    "{client} has kept {server} waiting for {up_to}{waited}{share}. {server} drops it {countdown}."
                )
            }
            FindingKind::Lost { clock, seen } => {
                // What was seen may be the RST itself.
                let unshown = if *seen { "" } else { NOT_ON_THE_WIRE };
                let asked = self.asked();
                format!("{}{unshown}.{asked}", lost(server, &client, clock, *seen, self.at))
            }
            FindingKind::Recovered { stalled_for, used, .. } if *used >= 1.0 => format!(
                "{client} goes on after {}: the server had not given up after all. Its net_write_timeout is longer \
                 than was thought, or the rest of the result fitted into its send buffer.",
                Seconds(*stalled_for)
            ),
            FindingKind::Recovered { stalled_for, used, clock } => {
                let used = clock.map_or_else(String::new, |clock| format!("; {}", was_used(&clock, *used)));
                format!("{client} reads again after {}{used}.", Seconds(*stalled_for))
            }
            FindingKind::ServerClosed { reset, unread, fails_at } => {
                let how = if *reset { "reset" } else { "closed" };
                let unread =
                    unread.map_or_else(String::new, |unread| format!(" with {} unread", Bytes(unread)));
                let fails = fails_at.map_or_else(String::new, |fails_at| {
                    format!("; the application fails in about {}", Seconds(fails_at.since(self.at)))
                });
                format!("The server has {how} the connection to {client}{unread}{fails}.")
            }
            FindingKind::ClientClosed { reset } => {
                format!("{client} has {} its stalled connection.", if *reset { "reset" } else { "closed" })
            }
            FindingKind::Closed { by, troubled_for } => {
                let by = match by {
                    Some(End::Client) => ", ended by the client",
                    Some(End::Server) => ", ended by the server",
                    None => "",
                };
                let after = troubled_for
                    .map_or_else(String::new, |time| format!(", {} after its window closed", Seconds(time)));
                format!("The connection of {client} is gone{by}{after}.")
            }
            FindingKind::Verdict(verdict) => verdict.sentence.clone(),
            FindingKind::EventsLost { count, total, lost_by } => format!(
                "{count} {} lost {}, {total} altogether: what is said from here on may miss something.",
                if *count == 1 { "event was" } else { "events were" },
                place(*lost_by)
            ),
            FindingKind::Degraded { part, because, without } => {
                format!(
                    "Without {} ({}), this is not known: {}.",
                    clean(part),
                    clean(because),
                    clean(without)
                )
            }
        }
    }
}

/// Places longer than this are left to the log.
const PLACE: usize = 40;

/// Who reads: `It is read by python3 4711 of etl.service.`
fn reads(Reader { pid, comm, place }: &Reader) -> String {
    let place = place.as_deref().filter(|place| place.len() <= PLACE);
    let of = place.map_or_else(String::new, |place| format!(" of {}", clean(place)));
    format!("It is read by {} {pid}{of}.", clean(comm))
}

impl Finding {
    /// What its client waits for and who it is: ` It waits for "SELECT a FROM t", as app, schema shop, with PyMySQL 1.1.1.`
    fn asked(&self) -> String {
        let logged_in = self.account.as_deref().and_then(logged_in);
        match (self.statement.as_deref(), logged_in) {
            (None, None) => String::new(),
            (None, Some(who)) => format!(" It logged in {who}."),
            (Some(statement), who) => {
                let who = who.map_or_else(String::new, |who| format!(", {who}"));
                format!(" It waits for {}{who}.", waits_for(statement, SHORT))
            }
        }
    }
}

/// When the server gives up, and under which assumption: `in 18.8 s if net_write_timeout is 60 s (assumed)`.
pub(crate) fn countdown(clock: &WriteClock, now: Timestamp) -> String {
    format!("{}{}", left(clock, now), condition(clock.timeout))
}

/// The time that is left: `in 18.8 s`, `in 17.2 to 18.8 s`, `at any moment`, `at any moment, in 4.1 s at the latest`.
fn left(clock: &WriteClock, now: Timestamp) -> String {
    let abort = clock.abort();
    let (earliest, latest) = (Seconds(abort.earliest.since(now)), Seconds(abort.latest.since(now)));
    if abort.latest <= now || (abort.earliest <= now && is_exact(clock)) {
        "at any moment".to_owned()
    } else if is_exact(clock) {
        format!("in {earliest}")
    } else if abort.earliest <= now {
        format!("at any moment, in {latest} at the latest")
    } else {
        let earliest = earliest.to_string();
        format!("in {} to {latest}", earliest.trim_end_matches(" s"))
    }
}

/// Whether the start is known so well that it counts as a moment.
fn is_exact(clock: &WriteClock) -> bool {
    clock.started.width() <= Duration::from_millis(500)
}

/// An assumed timeout is no fact but a condition: ` if net_write_timeout is 60 s (assumed)`.
fn condition(timeout: Timeout) -> String {
    match timeout.source {
        TimeoutSource::Assumed => format!(" if net_write_timeout is {} (assumed)", setting(timeout.duration)),
        _ => String::new(),
    }
}

/// Where the start is a range, what is counted from its beginning is the most it can be.
fn up_to(clock: &WriteClock) -> &'static str {
    if is_exact(clock) { "" } else { "up to " }
}

/// What waits have used: `up to 40 % of net_write_timeout if that is 60 s (assumed) was used`.
pub(crate) fn was_used(clock: &WriteClock, share: f64) -> String {
    let condition = match clock.timeout.source {
        TimeoutSource::Assumed => format!(" if that is {} (assumed)", setting(clock.timeout.duration)),
        _ => String::new(),
    };
    format!("{}{} of net_write_timeout{condition} was used", up_to(clock), percent(share))
}

/// `mysqld has dropped` somebody, and why; `has probably dropped` where nothing of it was `seen`.
pub(super) fn lost(
    server: ServerProgram,
    whom: &str,
    clock: &WriteClock,
    seen: bool,
    now: Timestamp,
) -> String {
    let why = match clock.timeout.source {
        // It has not waited for its timeout; its socket told that it has closed.
        _ if now < clock.abort().earliest => String::new(),
        // What was seen stands under no condition.
        TimeoutSource::Assumed if seen => String::new(),
        TimeoutSource::Assumed => condition(clock.timeout),
        _ => format!(" after net_write_timeout ({})", setting(clock.timeout.duration)),
    };
    let probably = if seen { "" } else { "probably " };
    format!("{server} has {probably}dropped {whom}{why}")
}

/// What is added to that while neither FIN nor RST was sent.
pub(super) const NOT_ON_THE_WIRE: &str = "; nothing on the wire shows it yet";

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn place(lost_by: LossPoint) -> &'static str {
    match lost_by {
        LossPoint::RingBuffer => "in the kernel's ring buffer",
        LossPoint::ConnectionMap => "in the kernel's map of connections",
        LossPoint::Decoder => "because they could not be understood",
        LossPoint::Capture => "by the capture",
        LossPoint::Log => "in the log",
        LossPoint::Tracker => "with connections beyond the limit",
        LossPoint::Limit => "by the limit of what is told of one connection",
    }
}
