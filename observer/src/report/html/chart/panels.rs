//! Sequence space, the window and the queues, each as curves over time.

use std::fmt::Write as _;

use maud::{Markup, html};
use observer_core::{Bytes, Timestamp};

use super::axis::Axis;
use super::scale::Scale;
use crate::report::account::Account;
use crate::report::curve::{Curve, Point};

/// Above the curves: a title that is their legend. In pixels.
const TITLE: u32 = 22;
/// Below them.
const GAP: u32 = 12;
/// Across the curves, in units of their own: they are stretched to the width of the chart.
const WIDTH: f64 = 1000.0;

/// What a panel shows.
struct Plan {
    title: &'static str,
    /// Of the curves, in pixels.
    height: u32,
    /// Steps of the scale, at most.
    steps: u32,
    /// Sizes begin at zero, sequence numbers anywhere.
    from_zero: bool,
    kinds: &'static [Kind],
    /// What they are, in a sentence.
    meaning: &'static str,
}

/// A kind of curve.
struct Kind {
    /// How it looks.
    class: &'static str,
    /// The same in the legend, for eyes and printers without colour.
    sample: &'static str,
    name: &'static str,
    /// In bytes.
    value: fn(&Point) -> Option<f64>,
}

/// What tcptrace and Wireshark call the time-sequence graph: a closed window is where the three lie on each other.
#[expect(clippy::cast_precision_loss, reason = "a picture")]
const SEQUENCE: Plan = Plan {
    title: "Sequence",
    height: 200,
    steps: 4,
    from_zero: false,
    meaning: "Sequence: bytes sent by the server; where acked and window edge meet, it may send no more.",
    kinds: &[
        Kind {
            class: "acknowledged",
            sample: THICK,
            name: "acked",
            value: |point| Some(point.acknowledged as f64),
        },
        Kind { class: "sent", sample: THIN, name: "sent", value: |point| Some(point.sent as f64) },
        Kind {
            class: "edge",
            sample: DASHED,
            name: "window edge",
            value: |point| point.edge().map(|edge| edge as f64),
        },
    ],
};

const WINDOW: Plan = Plan {
    title: "Window",
    height: 70,
    steps: 2,
    from_zero: true,
    meaning: "Window: how much more the client's kernel takes.",
    kinds: &[Kind {
        class: "window",
        sample: THIN,
        name: "of the client",
        value: |point| point.window.map(f64::from),
    }],
};

const QUEUES: Plan = Plan {
    title: "Queues",
    height: 110,
    steps: 3,
    from_zero: true,
    meaning: "Queues: unread is what the client's kernel holds for its application; unacked is what the \
              server has written and the client not acknowledged; the send buffer holds that, in kernel memory.",
    kinds: &[
        Kind { class: "unread", sample: THICK, name: "unread", value: |point| point.unread.map(f64::from) },
        Kind { class: "queued", sample: THIN, name: "unacked", value: |point| point.queued.map(f64::from) },
        Kind {
            class: "buffered",
            sample: DASHED,
            name: "send buffer",
            value: |point| point.buffered.map(f64::from),
        },
    ],
};

/// The limit of what the last curve of a panel shows.
const LIMIT: Kind = Kind { class: "limit", sample: DOTTED, name: "limit", value: |_| None };

const THICK: &str = "\u{2501}";
const THIN: &str = "\u{2500}";
const DASHED: &str = "\u{254c}";
const DOTTED: &str = "\u{2508}";

/// A few curves on one scale.
pub(super) struct Panel {
    plan: &'static Plan,
    scale: Scale,
    /// Each with its path.
    curves: Vec<(&'static Kind, String)>,
    /// What they show, in words.
    pub(super) description: String,
}

/// Those of which anything is known.
pub(super) fn panels(curve: &Curve, account: &Account, axis: &Axis) -> Vec<Panel> {
    let known_until = account.closed_at.unwrap_or(account.last_seen);
    let points = curve.cut(axis.from, axis.to.min(known_until));
    let limit = curve.send_buffer().map(f64::from);
    let plans = [(&SEQUENCE, None), (&WINDOW, None), (&QUEUES, limit)];
    // Without counters the window is all there is.
    let plans = plans.into_iter().skip(usize::from(!curve.counts()));
    plans.filter_map(|(plan, limit)| Panel::of(plan, &points, axis, limit)).collect()
}

impl Panel {
    /// `None` where nothing is known.
    fn of(plan: &'static Plan, points: &[Point], axis: &Axis, limit: Option<f64>) -> Option<Self> {
        let values = |kind: &Kind| points.iter().filter_map(kind.value);
        let known: Vec<_> = plan.kinds.iter().filter(|kind| values(kind).next().is_some()).collect();
        let (first, last) = (points.first()?.at, points.last()?.at);
        if known.is_empty() {
            return None;
        }
        let all = known.iter().flat_map(|kind| values(kind));
        let scale = Scale::of(all.chain(plan.from_zero.then_some(0.0)).chain(limit), plan.steps);
        let mut curves: Vec<_> = known
            .iter()
            .map(|kind| {
                let values = points.iter().map(|point| (point.at, (kind.value)(point), point.after_gap));
                (*kind, path(values, axis, scale, plan.height))
            })
            .collect();
        if limit.is_some() {
            curves.push((
                &LIMIT,
                path([(first, limit, false), (last, limit, false)], axis, scale, plan.height),
            ));
        }
        let largest = known.iter().map(|kind| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
            let largest = Bytes(values(kind).fold(0.0, f64::max) as u64);
            format!("{} up to {largest}", kind.name)
        });
        let description = format!("{}: {}.", plan.title, largest.collect::<Vec<_>>().join(", "));
        Some(Self { plan, scale, curves, description })
    }

    /// With everything around the curves, in pixels.
    pub(super) const fn height(&self) -> u32 {
        TITLE + self.plan.height + GAP
    }

    /// What its curves are, in a sentence.
    pub(super) const fn meaning(&self) -> &'static str {
        self.plan.meaning
    }

    /// Draws it below `top`.
    pub(super) fn draw(&self, top: u32) -> Markup {
        let plot = top + TITLE;
        html! {
            g.panel {
                g.grid {
                    @for (up, _) in self.scale.lines() {
                        line x1="0" x2="100%" y1=(self.row(plot, up)) y2=(self.row(plot, up)) {}
                    }
                }
                svg.curves x="0" y=(plot) width="100%" height=(self.plan.height)
                    viewBox=(format!("0 0 {WIDTH} {}", self.plan.height)) preserveAspectRatio="none" {
                    @for (kind, path) in &self.curves { path.(kind.class) d=(path) {} }
                }
                g.labels {
                    @for (up, label) in self.scale.lines().skip(1) {
                        text x="0" dx="3" y=(self.row(plot + 13, up)) { (label) }
                    }
                }
                text.legend x="0" y=(top + 15) {
                    tspan.title { (self.plan.title) }
                    @for (kind, _) in &self.curves {
                        tspan.(kind.class) dx="10" { (kind.sample) } tspan dx="4" { (kind.name) }
                    }
                }
            }
        }
    }

    /// The row of pixels of a height between 0 and 1.
    fn row(&self, plot: u32, up: f64) -> String {
        format!("{:.1}", f64::from(plot) + f64::from(self.plan.height) * (1.0 - up))
    }
}

/// A line through all points that are known, but not across gaps.
fn path(
    points: impl IntoIterator<Item = (Timestamp, Option<f64>, bool)>,
    axis: &Axis,
    scale: Scale,
    height: u32,
) -> String {
    let (mut path, mut last) = (String::new(), None);
    for (at, value, after_gap) in points {
        let here = value.map(|value| {
            let (x, y) = (axis.place(at) * WIDTH / 100.0, f64::from(height) * (1.0 - scale.height(value)));
            format!("{x:.1} {y:.1}")
        });
        if here == last {
            continue;
        }
        if let Some(here) = &here {
            let pen = if last.is_some() && !after_gap { 'L' } else { 'M' };
            // A string takes all there is memory for.
            let _ = write!(path, "{pen}{here}");
        }
        last = here;
    }
    path
}
