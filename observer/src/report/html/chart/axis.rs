//! The axis of time, and where a moment lies on it.

use std::time::Duration;

use maud::{Markup, html};
use observer_core::Timestamp;

use crate::report::account::Account;
use crate::report::ticks::step;
use crate::report::timeline;

/// Room for the labels below the panels, in pixels.
pub(super) const HEIGHT: u32 = 22;
/// Labels there is room for on a phone.
const TICKS: u32 = 6;

/// A piece of time across the chart.
pub(super) struct Axis {
    /// The zero of the labels, that of all distances in the report.
    pub(super) zero: Timestamp,
    /// Its left edge.
    pub(super) from: Timestamp,
    /// Its right edge.
    pub(super) to: Timestamp,
}

impl Axis {
    /// What the picture in the text form shows, and a little before and after, but no deadline that a connection did not
    /// live to see; of one that never stood still all that is known. `None` where that is nothing.
    pub(super) fn of(account: &Account) -> Option<Self> {
        let points = account.curve.as_ref().map_or(&[][..], |curve| curve.points());
        let first = points.first().map(|point| point.at);
        let last = account.marks.values().copied().chain([account.last_seen]).max()?;
        if let Some(timeline::Axis { start, span }) = timeline::Axis::of(account) {
            let lived = last.since(start).max(Duration::from_millis(10));
            let span = if account.closed_at.is_some() { span.min(lived) } else { span };
            let before = first.map_or(Duration::ZERO, |first| start.since(first)).min(span / 4);
            let after = (span + before) / 25;
            return Some(Self { zero: start, from: start - before.max(after), to: start + span + after });
        }
        let from = first?;
        let span = last.since(from).max(Duration::from_millis(10));
        Some(Self { zero: from, from, to: from + span + span / 25 })
    }

    /// Whether the window was closed on the chart before the zero.
    pub(super) fn shows_earlier_stall(&self, account: &Account) -> bool {
        let (from, zero) = (self.from, self.zero);
        account.stalls.iter().any(|stall| stall.start < zero && stall.end.is_some_and(|end| end >= from))
    }

    /// How much time it shows.
    fn length(&self) -> Duration {
        self.to.since(self.from).max(Duration::from_micros(1))
    }

    /// Where a moment lies, in hundredths of the width; outside of the chart too.
    pub(super) fn place(&self, at: Timestamp) -> f64 {
        let seconds = at.since(self.from).as_secs_f64() - self.from.since(at).as_secs_f64();
        seconds / self.length().as_secs_f64() * 100.0
    }

    /// The ticks that are on the chart, with their labels.
    fn ticks(&self) -> Vec<(f64, String)> {
        let (step, unit) = step(self.length(), TICKS);
        let label = |sign, distance: Duration| format!("{sign}{} {}", unit.label(distance), unit.sign());
        let multiples = |n: &u32| step.saturating_mul(*n);
        let before = (1..=TICKS)
            .map(|n| multiples(&n))
            .map(|distance| (self.zero - distance, label("\u{2212}", distance)));
        let after =
            (0..=TICKS).map(|n| multiples(&n)).map(|distance| (self.zero + distance, label("", distance)));
        let shown = before.chain(after).filter(|(at, _)| (self.from..=self.to).contains(at));
        shown.map(|(at, label)| (self.place(at), label)).collect()
    }

    /// The lines at the ticks, down to `bottom`.
    pub(super) fn grid(&self, bottom: u32) -> Markup {
        html! {
            g.grid {
                @for (place, _) in self.ticks() {
                    line x1=(percent(place)) x2=(percent(place)) y1="0" y2=(bottom) {}
                }
            }
        }
    }

    /// The labels below `bottom`.
    pub(super) fn labels(&self, bottom: u32) -> Markup {
        html! {
            g.labels {
                @for (place, label) in self.ticks() {
                    text x=(percent(place)) y=(bottom + 16) text-anchor=(anchor(place)) { (label) }
                }
            }
        }
    }
}

/// `12.34%`.
pub(super) fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// How a label stands at its place so that it is on the chart.
fn anchor(place: f64) -> &'static str {
    match place {
        ..6.0 => "start",
        94.0.. => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_zero_is_one_of_them() {
        for millis in [10, 450, 61_000, 7_200_000, 10_000_000_000] {
            let zero = Timestamp::EPOCH + Duration::from_secs(1_700_000_000);
            let span = Duration::from_millis(millis);
            let axis = Axis { zero, from: zero - span / 4, to: zero + span };
            let ticks = axis.ticks();
            assert!((3..=8).contains(&ticks.len()), "{millis} ms: {ticks:?}");
            assert!(ticks.iter().any(|(place, label)| label.starts_with('0') && (place - 20.0).abs() < 0.1));
            assert!(ticks.iter().all(|(place, _)| (0.0..=100.0).contains(place)), "{ticks:?}");
        }
    }

    #[test]
    fn a_moment_has_a_place_outside_too() {
        let at = |seconds| Timestamp::EPOCH + Duration::from_secs(seconds);
        let axis = Axis { zero: at(100), from: at(100), to: at(200) };
        let places = [50, 100, 150, 300].map(|seconds| percent(axis.place(at(seconds))));
        assert_eq!(places, ["-50.00%", "0.00%", "50.00%", "200.00%"]);
    }
}
