//! Whether what is said is right, by the bar of the accuracy table.

use std::net::SocketAddr;
use std::time::Duration;

use observer::demo::Dialect;
use observer_core::{Confidence, End, Timestamp};
use serde::Serialize;

use crate::account::{Account, Said};
use crate::case::{Abort, Case, server_name};
use crate::play::Truth;

/// By how much the server may give up outside the range.
const OUTSIDE: f64 = 0.3;
/// How wide the range may be where the moment can be known.
const WIDTH: f64 = 0.5;
/// The same on the server's host, where its own wait is seen.
const OWN_WIDTH: f64 = 0.1;
/// How far from the moment a loss may be stamped where that moment can be known.
const TOLD: f64 = 0.5;
/// The share of the timeout that must be left at the warning.
const WARNED: f64 = 0.2;

/// How a connection was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// While it happened.
    Live,
    /// From a capture of it.
    Capture,
}

/// What was said of one case from one vantage, and what is wrong with it. Times are in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// The case.
    pub(crate) case: &'static str,
    /// The server.
    pub(crate) server: &'static str,
    /// The client's address, by which the connection is found in the kept files.
    pub(crate) client: SocketAddr,
    /// At which end it was observed.
    pub(crate) end: End,
    /// And how.
    pub(crate) way: Way,
    /// The verdict.
    #[serde(flatten)]
    pub(crate) verdict: Option<Said>,
    /// How long before the server gave up the warning came.
    pub(crate) warned_before: Option<f64>,
    /// By how much the server gave up outside the range; negative where it was earlier.
    pub(crate) outside: Option<f64>,
    /// How wide the range was.
    pub(crate) width: Option<f64>,
    /// By how much later than the loss it was called lost; negative where it was earlier.
    pub(crate) told_after: Option<f64>,
    /// Whether the connection was called lost while it lived.
    pub(crate) false_alarm: bool,
    /// Whether that was said as a guess, is not known better from there, and was taken back.
    pub(crate) guess: bool,
    /// What is wrong, in words.
    pub(crate) misses: Vec<String>,
}

/// Judges.
pub(crate) fn judge(
    case: &Case,
    server: Dialect,
    end: End,
    way: Way,
    truth: &Truth,
    account: &Account,
) -> Row {
    let mut row = Row {
        case: case.name,
        server: server_name(server),
        client: truth.client,
        end,
        way,
        verdict: account.verdict,
        warned_before: None,
        outside: None,
        width: None,
        told_after: None,
        false_alarm: false,
        guess: false,
        misses: account.misses.clone(),
    };
    row.judge_verdict(case, account);
    if let (Some(expected), Some(aborted)) = (case.expected.abort, truth.aborted) {
        row.judge_abort(expected, aborted, account);
        row.judge_certainty(server);
        row.judge_told(expected, aborted, server, account);
    }
    row.judge_loss(case, truth, account);
    row
}

/// Two captures of the same packets, at the client's end and at the server's, have to give the same verdict. `rows` are
/// those of one client.
pub(crate) fn compare_captures(rows: &mut [Row]) {
    let mut captures = rows.iter_mut().filter(|row| row.way == Way::Capture);
    if let (Some(one), Some(other)) = (captures.next(), captures.next())
        && one.verdict != other.verdict
    {
        other
            .misses
            .push(format!("its verdict is {:?}, that at the other end {:?}", other.verdict, one.verdict));
    }
}

impl Row {
    fn judge_verdict(&mut self, case: &Case, account: &Account) {
        let expected = &case.expected;
        let right = account.verdict.is_some_and(|said| expected.verdicts.contains(&said.kind));
        if !right {
            let wanted: Vec<_> = expected.verdicts.iter().map(name).collect();
            let said = self.verdict.map_or_else(|| "nothing".to_owned(), |said| name(&said.kind));
            self.misses.push(format!("the verdict is {said}, right is {}", wanted.join(" or ")));
        }
    }

    fn judge_abort(&mut self, expected: Abort, aborted: Timestamp, account: &Account) {
        match account.abort {
            None => self.misses.push("it was not said when the server would give up".to_owned()),
            Some(range) => {
                let width = range.width().as_secs_f64();
                let outside = if aborted < range.earliest {
                    -range.earliest.since(aborted).as_secs_f64()
                } else {
                    aborted.since(range.latest).as_secs_f64()
                };
                (self.width, self.outside) = (Some(width), Some(outside));
                if outside.abs() > OUTSIDE {
                    self.misses.push(format!("the server gave up {outside:+.3} s outside the range"));
                }
                // A capture does not hold what the server's kernel knows of its send buffer.
                let widest = if self.sees_socket() { OWN_WIDTH } else { WIDTH };
                if (expected.full_stall || self.sees_socket()) && width > widest {
                    self.misses.push(format!("the range is {width:.3} s wide"));
                }
            }
        }
        if self.way == Way::Live {
            self.judge_warning(expected.timeout, aborted, account);
        }
    }

    fn judge_warning(&mut self, timeout: Duration, aborted: Timestamp, account: &Account) {
        let before = account.warned.filter(|&warned| warned < aborted).map(|warned| aborted.since(warned));
        self.warned_before = before.map(|before| before.as_secs_f64());
        let wanted = timeout.mul_f64(WARNED);
        if before.is_none_or(|before| before < wanted) {
            self.misses.push(format!("there was no warning {:.1} s before", wanted.as_secs_f64()));
        }
    }

    /// What was seen is certain, and what was concluded is not; the rest of the result is lacking in any case.
    fn judge_certainty(&mut self, server: Dialect) {
        let Some(Said { confidence, incomplete, .. }) = self.verdict else { return };
        let is_seen = self.sees_socket() || server == Dialect::MariaDb;
        if is_seen != (confidence == Confidence::Certain) {
            self.misses.push(format!("the verdict is {}", name(&confidence)));
        }
        if incomplete != Some(true) {
            self.misses.push(format!("whether the result is incomplete: {incomplete:?}"));
        }
    }

    /// Whether it was called lost when it was: where the end of the wait can be known, or is seen.
    fn judge_told(&mut self, expected: Abort, aborted: Timestamp, server: Dialect, account: &Account) {
        self.told_after = account.lost.map(|lost| {
            let [late, early] = [lost.since(aborted), aborted.since(lost)];
            late.as_secs_f64() - early.as_secs_f64()
        });
        // MariaDB's RST comes at once to both ends.
        let can_know = expected.full_stall || self.sees_socket() || server == Dialect::MariaDb;
        match self.told_after {
            None if can_know => self.misses.push("it was not called lost".to_owned()),
            Some(after) if can_know && after.abs() > TOLD => {
                self.misses.push(format!("it was called lost {after:+.3} s after the server gave up"));
            }
            _ => {}
        }
    }

    fn judge_loss(&mut self, case: &Case, truth: &Truth, account: &Account) {
        let Some(lost) = account.lost else { return };
        let too_early = match truth.lost {
            None if case.expected.looks_lost && account.is_guess && !self.sees_socket() => {
                (self.false_alarm, self.guess) = (true, account.is_taken_back);
                if self.guess {
                    return;
                }
                "the guess that it is lost was not taken back".to_owned()
            }
            None => "it was called lost, and lived".to_owned(),
            Some(truth) => {
                let early = truth.since(lost).as_secs_f64();
                if early <= OUTSIDE {
                    return;
                }
                format!("it was called lost {early:.3} s before it was")
            }
        };
        self.false_alarm = true;
        self.misses.push(too_early);
    }

    /// Whether what is seen there is the server's socket, and not only what is sent.
    fn sees_socket(&self) -> bool {
        self.end == End::Server && self.way == Way::Live
    }
}

/// The name of anything in serialised forms.
pub(crate) fn name(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
