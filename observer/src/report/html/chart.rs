//! The chart of a connection, as SVG: what happened when, sequence space as tcptrace and Wireshark draw it, the window
//! and the queues, one below the other on one axis of time.
//!
//! Times are percentages of the width, and only the curves are stretched with it: letters and lines stay as they are on
//! a phone and on paper.
//!
//! | file | what it draws |
//! |---|---|
//! | `axis` | the axis of time, and where a moment lies on it |
//! | `lanes` | what happened, a row each, and lines down from it |
//! | `panels` | sequence space, the window, the queues |
//! | `scale` | round numbers of bytes |

mod axis;
mod lanes;
mod panels;
mod scale;

use maud::{Markup, html};
use observer_core::Seconds;

use self::axis::Axis;
use self::lanes::Lane;
use self::panels::Panel;
use super::Text;
use crate::report::account::Account;
use crate::report::curves::KEPT;
use crate::report::words::{date_and_time, time_of_day};

/// The chart in a figure; nothing of a connection that has nothing to show.
pub(super) fn figure(id: &str, account: &Account) -> Markup {
    let Some(axis) = Axis::of(account) else { return html! {} };
    let lanes = lanes::lanes(account, &axis);
    let panels = account.curve.as_ref().map_or_else(Vec::new, |curve| panels::panels(curve, account, &axis));
    if lanes.is_empty() && panels.is_empty() {
        return html! {};
    }
    html! {
        figure {
            (drawing(id, account, &axis, &lanes, &panels))
            figcaption { (Text(&caption(account, &axis, &panels))) }
        }
    }
}

fn drawing(id: &str, account: &Account, axis: &Axis, lanes: &[Lane], panels: &[Panel]) -> Markup {
    let (title, text) = (format!("{id}-chart"), format!("{id}-chart-text"));
    let below = lanes::height(lanes);
    let bottom = below + panels.iter().map(Panel::height).sum::<u32>();
    let mut tops = panels.iter().scan(below, |top, panel| {
        let own = *top;
        *top += panel.height();
        Some(own)
    });
    html! {
        svg.chart role="img" aria-labelledby=(format!("{title} {text}")) width="100%"
            height=(bottom + axis::HEIGHT) {
            title id=(title) { "Chart of the connection of " (account.flow.client) }
            desc id=(text) { (Text(&description(account, panels))) }
            (axis.grid(bottom))
            (lanes::behind(account, axis, below, bottom))
            @for (panel, top) in panels.iter().zip(tops.by_ref()) { (panel.draw(top)) }
            (lanes::draw(lanes))
            (axis.labels(bottom))
        }
    }
}

/// What the chart shows, for those who do not see it; the table below it tells the moments.
fn description(account: &Account, panels: &[Panel]) -> String {
    let mut parts = Vec::new();
    if let Some(stall) = account.main_stall() {
        let length = Seconds(stall.end.unwrap_or(account.last_seen).since(stall.start));
        parts.push(format!(
            "The client's window is closed for {length} from {}, and probed {} times.",
            time_of_day(stall.start),
            stall.probes
        ));
    }
    parts.extend(panels.iter().map(|panel| panel.description.clone()));
    parts.push("The table that follows tells what happened when.".to_owned());
    parts.join(" ")
}

fn caption(account: &Account, axis: &Axis, panels: &[Panel]) -> String {
    let zero = match account.main_stall() {
        _ if axis.shows_earlier_stall(account) => "when the window closed, which it had been before",
        Some(stall) if stall.start == axis.zero => "when the window closed",
        Some(_) => "when the window closed for the first time shown",
        None => "the first moment shown",
    };
    let mut caption = format!("0 is {} UTC, {zero}.", date_and_time(axis.zero));
    if panels.is_empty() {
        let why = if account.curve.is_none() {
            format!(" There are no curves: they are kept of the first {KEPT} connections in trouble.")
        } else {
            " There are no curves: no samples of it were taken.".to_owned()
        };
        caption.push_str(&why);
    } else {
        let meanings = panels.iter().map(Panel::meaning);
        for sentence in meanings.chain(["A line is drawn from one sample to the next, of a second at most: before it nothing had changed."]) {
            caption.push(' ');
            caption.push_str(sentence);
        }
    }
    caption
}
