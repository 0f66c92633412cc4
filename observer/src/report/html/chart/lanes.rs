//! What happened, a row each: when the window was closed, its probes, the deadline, and the ends of the connection.

use maud::{Markup, html};
use observer_core::{Seconds, TimeRange, Timestamp};

use super::axis::{Axis, percent};
use crate::report::account::{Account, Mark, Stall};
use crate::report::timeline::{ROWS, deadline};

/// Height of a row, in pixels.
const ROW: u32 = 22;
/// A range that is narrower is drawn as a line, in hundredths of the width.
const LINE: f64 = 0.3;
/// Room that a label needs beside its mark, in hundredths of the width.
const ROOM: f64 = 45.0;

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
            _ => format!("window closed {} times, {} the longest", shown.len(), Seconds(longest)),
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
    lanes.extend(deadline(account).map(|range| moment("net_write_timeout", "deadline", range, axis)));
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

/// The same moments behind everything, from the rows down through all panels.
pub(super) fn behind(account: &Account, axis: &Axis, bottom: u32) -> Markup {
    let deadline = deadline(account).map(|range| (axis.place(range.earliest), axis.place(range.latest)));
    html! {
        g.behind {
            @for stall in stalls(account, axis) {
                @let (from, to) = place(stall, axis);
                g.closed { (mark(from, to, 0, bottom)) }
            }
            @if let Some((from, to)) = deadline { g.deadline { (mark(from, to, 0, bottom)) } }
            @for (kind, _, at) in marks_of(account, axis) {
                g.(class(kind)) { (mark(axis.place(at), axis.place(at), 0, bottom)) }
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
    /// Its label beside its marks, on whichever side there is room, or else on them.
    fn words(&self, y: u32) -> Markup {
        let from = self.marks.iter().map(|(from, _)| *from).fold(f64::INFINITY, f64::min).max(0.0);
        let to = self.marks.iter().map(|(_, to)| *to).fold(0.0, f64::max);
        let (x, dx, anchor) = match (from, to) {
            (100.0.., _) => (100.0, -6, "end"),
            (_, to) if 100.0 - to >= ROOM => (to, 6, "start"),
            (from, _) if from >= ROOM => (from, -6, "end"),
            (from, _) => (from, 6, "start"),
        };
        html! {
            text x=(percent(x)) dx=(dx) y=(y) text-anchor=(anchor) {
                (self.label) @if from > 100.0 { " \u{2192}" }
            }
        }
    }
}

/// The stalls that are on the chart.
fn stalls<'a>(account: &'a Account, axis: &Axis) -> impl Iterator<Item = &'a Stall> {
    let (from, to) = (axis.from, axis.to);
    account.stalls.iter().filter(move |stall| stall.start <= to && stall.end.is_none_or(|end| end >= from))
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
