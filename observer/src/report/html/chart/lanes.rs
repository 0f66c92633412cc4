//! What happened, a row each: when the window was closed, its probes, the deadline, and the ends of the connection.

use maud::{Markup, html};
use observer_core::{Seconds, TimeRange, Timestamp};

use super::axis::{Axis, percent};
use crate::report::account::{Account, Gap, Mark, Stall};
use crate::report::timeline::{ROWS, deadline};

/// Height of a row, in pixels.
const ROW: u32 = 22;
/// A range that is narrower is drawn as a line, in hundredths of the width.
const LINE: f64 = 0.3;
/// Room that a letter of a label needs on a phone, in hundredths of the width.
const LETTER: f64 = 1.75;

/// A row: its marks as ranges of places, and what they are.
pub(super) struct Lane {
    class: &'static str,
    label: String,
    marks: Vec<(f64, f64)>,
}

/// The rows that have something to show.
pub(super) fn lanes(account: &Account, axis: &Axis) -> Vec<Lane> {
    let mut lanes = Vec::new();
    let shown: Vec<_> = stalls(account, axis).collect();
    if let Some(longest) = shown.iter().map(|stall| length(stall, account)).max() {
        let label = match &shown[..] {
            [Stall { end: None, .. }] => format!("window still closed after {}", Seconds(longest)),
            [_] => format!("window closed for {}", Seconds(longest)),
            _ => format!("window closed {}\u{d7}, at most {}", shown.len(), Seconds(longest)),
        };
        let marks = shown.iter().map(|stall| place(stall, axis)).collect();
        lanes.push(Lane { class: "closed", label, marks });
    }
    let probes: u32 = shown.iter().map(|stall| stall.probes).sum();
    let times = shown.iter().flat_map(|stall| &stall.probed_at);
    let marks: Vec<_> = times.map(|at| (axis.place(*at), axis.place(*at))).collect();
    if !marks.is_empty() {
        let label = if probes <= 1 { "1 probe".to_owned() } else { format!("{probes} probes") };
        lanes.push(Lane { class: "probe", label, marks });
    }
    let unobserved: Vec<_> = gaps(account, axis).collect();
    if let Some(longest) = unobserved.iter().map(|gap| gap.to.since(gap.from)).max() {
        let label = match unobserved.len() {
            1 => format!("not observed for {}", Seconds(longest)),
            count => format!("not observed {count}\u{d7}, at most {}", Seconds(longest)),
        };
        let marks = unobserved.iter().map(|gap| (axis.place(gap.from), axis.place(gap.to))).collect();
        lanes.push(Lane { class: "unobserved", label, marks });
    }
    lanes.extend(deadline(account).map(|range| moment("deadline", "deadline", range, axis)));
    lanes.extend(
        marks_of(account, axis).map(|(mark, label, at)| {
            moment(label, class(mark), TimeRange { earliest: at, latest: at }, axis)
        }),
    );
    lanes
}

/// How high they are.
pub(super) fn height(lanes: &[Lane]) -> u32 {
    u32::try_from(lanes.len()).unwrap_or(0) * ROW
}

/// Draws the rows from the top down.
pub(super) fn draw(lanes: &[Lane]) -> Markup {
    html! {
        @for (lane, top) in lanes.iter().zip((0..).step_by(ROW as usize)) {
            g.(lane.class) {
                @for (from, to) in &lane.marks { (mark(*from, *to, top + 4, ROW - 8)) }
                (lane.words(top + 15))
            }
        }
    }
}

/// The same moments behind the panels, which are between `top` and `bottom`.
pub(super) fn behind(account: &Account, axis: &Axis, top: u32, bottom: u32) -> Markup {
    let height = bottom - top;
    let deadline = deadline(account).map(|range| (axis.place(range.earliest), axis.place(range.latest)));
    html! {
        g.behind {
            @for stall in stalls(account, axis) {
                @let (from, to) = place(stall, axis);
                g.closed { (mark(from, to, top, height)) }
            }
            @for gap in gaps(account, axis) {
                g.unobserved { (mark(axis.place(gap.from), axis.place(gap.to), top, height)) }
            }
            @if let Some((from, to)) = deadline { g.deadline { (mark(from, to, top, height)) } }
            @for (kind, _, at) in marks_of(account, axis) {
                g.(class(kind)) { (mark(axis.place(at), axis.place(at), top, height)) }
            }
        }
    }
}

/// A range, or where it is narrow a line; nothing of what is not on the chart.
fn mark(from: f64, to: f64, top: u32, height: u32) -> Markup {
    let (left, right) = (from.max(0.0), to.min(100.0));
    html! {
        @if right - left >= LINE {
            rect x=(percent(left)) y=(top) width=(percent(right - left)) height=(height) {}
        } @else if right >= left {
            line x1=(percent(left)) x2=(percent(left)) y1=(top) y2=(top + height) {}
        }
    }
}

impl Lane {
    /// Its label where there is room for it: behind, between or before its marks, or else on them.
    fn words(&self, y: u32) -> Markup {
        let letters = u32::try_from(self.label.chars().count()).unwrap_or(u32::MAX);
        let needed = f64::from(letters) * LETTER + 4.0;
        let ends = self.marks.iter().map(|(_, to)| to.max(0.0));
        let beginnings = self.marks.iter().map(|(from, _)| from.max(0.0)).skip(1).chain([100.0]);
        let first = self.marks.first().map_or(0.0, |(from, _)| from.max(0.0));
        let (x, dx, anchor) = match ends.zip(beginnings).filter(|(end, next)| next - end >= needed).last() {
            _ if first > 100.0 => (100.0, -6, "end"),
            Some((end, _)) => (end, 6, "start"),
            None if first >= needed => (first, -6, "end"),
            None => (first.min(100.0 - needed).max(0.0), 6, "start"),
        };
        html! {
            text x=(percent(x)) dx=(dx) y=(y) text-anchor=(anchor) {
                (self.label) @if first > 100.0 { " \u{2192}" }
            }
        }
    }
}

/// The stalls that are on the chart.
fn stalls<'a>(account: &'a Account, axis: &Axis) -> impl Iterator<Item = &'a Stall> {
    let (from, to) = (axis.from, axis.to);
    account.stalls.iter().filter(move |stall| stall.start <= to && stall.end.is_none_or(|end| end >= from))
}

/// The times on the chart in which nothing was observed.
fn gaps<'a>(account: &'a Account, axis: &Axis) -> impl Iterator<Item = &'a Gap> {
    let (from, to) = (axis.from, axis.to);
    account.gaps.iter().filter(move |gap| gap.from <= to && gap.to >= from)
}

fn place(stall: &Stall, axis: &Axis) -> (f64, f64) {
    (axis.place(stall.start), stall.end.map_or(100.0, |end| axis.place(end)))
}

fn length(stall: &Stall, account: &Account) -> std::time::Duration {
    stall.end.unwrap_or(account.last_seen).since(stall.start)
}

/// The marks that have a row of their own, and are not long before what is on the chart.
fn marks_of(account: &Account, axis: &Axis) -> impl Iterator<Item = (Mark, &'static str, Timestamp)> {
    let from = axis.from;
    let of = |(mark, label): &(Mark, &'static str)| Some((*mark, *label, *account.marks.get(mark)?));
    ROWS.iter().filter_map(of).filter(move |(.., at)| *at >= from)
}

fn moment(label: &str, class: &'static str, range: TimeRange, axis: &Axis) -> Lane {
    let after = |at: Timestamp| Seconds(at.since(axis.zero)).to_string();
    let (from, to) = (after(range.earliest), after(range.latest));
    let when = if from == to { from } else { format!("{} to {to}", from.trim_end_matches(" s")) };
    let marks = vec![(axis.place(range.earliest), axis.place(range.latest))];
    Lane { class, label: format!("{label} +{when}"), marks }
}

const fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::GaveUp | Mark::Deadline => "gave-up",
        Mark::ApplicationClosed => "application",
        Mark::EventsLost => "missing",
        _ => "end",
    }
}
