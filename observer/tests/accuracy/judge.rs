//! Whether what is said is right, by the bar of the accuracy table.

use std::net::SocketAddr;
use std::time::Duration;

use observer::demo::Dialect;
use observer_core::{End, Timestamp};
use serde::Serialize;

use crate::account::Account;
use crate::case::{Abort, Case, server_name};
use crate::play::Truth;

/// By how much the server may give up outside the range.
const OUTSIDE: f64 = 0.3;
/// How wide the range may be where the moment can be known.
const WIDTH: f64 = 0.5;
/// The same on the server's host, where its own wait is seen.
const OWN_WIDTH: f64 = 0.1;
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
    /// The verdict, by its name in the report.
    pub(crate) verdict: Option<String>,
    /// How long before the server gave up the warning came.
    pub(crate) warned_before: Option<f64>,
    /// By how much the server gave up outside the range; negative where it was earlier.
    pub(crate) outside: Option<f64>,
    /// How wide the range was.
    pub(crate) width: Option<f64>,
    /// Whether the connection was called lost while it lived.
    pub(crate) false_alarm: bool,
    /// Whether that was said as a guess, and is not known better from there.
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
        verdict: account.verdict.map(|(kind, _)| name(&kind)),
        warned_before: None,
        outside: None,
        width: None,
        false_alarm: false,
        guess: false,
        misses: account.late.clone(),
    };
    row.judge_verdict(case, account);
    if let (Some(expected), Some(aborted)) = (case.expected.abort, truth.aborted) {
        row.judge_abort(expected, aborted, account);
    }
    row.judge_loss(case, truth, account);
    row
}

impl Row {
    fn judge_verdict(&mut self, case: &Case, account: &Account) {
        let expected = &case.expected;
        let right = match account.verdict {
            Some((kind, _)) => expected.verdicts.contains(&kind),
            None => expected.or_nothing,
        };
        if !right {
            let wanted: Vec<_> = expected.verdicts.iter().map(name).collect();
            let said = self.verdict.as_deref().unwrap_or("nothing");
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
                let server_host = self.end == End::Server && self.way == Way::Live;
                let widest = if server_host { OWN_WIDTH } else { WIDTH };
                if (expected.full_stall || server_host) && width > widest {
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

    fn judge_loss(&mut self, case: &Case, truth: &Truth, account: &Account) {
        let Some(lost) = account.lost else { return };
        let sees_socket = self.end == End::Server && self.way == Way::Live;
        if truth.lost.is_none() && case.expected.looks_lost && account.is_guess && !sees_socket {
            (self.false_alarm, self.guess) = (true, true);
            return;
        }
        let too_early = match truth.lost {
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
}

/// The name of anything in serialised forms.
pub(crate) fn name(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
