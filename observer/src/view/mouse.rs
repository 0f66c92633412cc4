//! The mouse: what it asks for follows from what it points at.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::chart::Look;
use super::keys::{Action, Control};
use super::layout::{Page, Regions};
use super::list::{self, Spot};
use super::screen::Screen;

/// Lines of one notch of the wheel.
const NOTCH: i8 = 3;

/// What the help says of it.
pub(super) const HELP: &[(&str, &str)] = &[
    ("click", "select, once more: open; sort by a column"),
    ("wheel", "scroll the list; zoom the chart"),
    ("shift", "with it the mouse selects text as ever"),
];
/// Of a recording besides.
pub(super) const HELP_OF_RECORDING: (&str, &str) = ("", "a click on the bar: go to that time");

/// What the mouse asks for.
pub(super) fn action(event: MouseEvent, screen: &Screen) -> Option<Action> {
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => click(at, screen),
        MouseEventKind::ScrollUp => Some(wheel(at, screen, -NOTCH)),
        MouseEventKind::ScrollDown => Some(wheel(at, screen, NOTCH)),
        _ => None,
    }
}

fn wheel(at: Position, screen: &Screen, lines: i8) -> Action {
    let over_chart = screen.help.is_none() && screen.regions().detail.contains(at);
    match (over_chart, lines < 0) {
        (false, _) => Action::Scroll(lines),
        (true, true) => Action::Look(Look::In),
        (true, false) => Action::Look(Look::Out),
    }
}

fn click(at: Position, screen: &Screen) -> Option<Action> {
    let Regions { list, detail, bar, .. } = screen.regions();
    if bar.contains(at) {
        return Some(Action::Play(Control::Seek(thousandths(at.x, bar))));
    }
    if screen.help.is_some() {
        return Some(Action::Help);
    }
    if list.contains(at) {
        let columns = screen.arrangement.columns.fitting(screen.overview.known, list.width);
        return match list::spot(at, list, columns)? {
            Spot::Head(sort) => Some(Action::SortBy(sort)),
            Spot::Row(row) => screen.visible().get(row).map(|id| Action::Point(*id)),
        };
    }
    match screen.page {
        Page::List if detail.contains(at) => Some(Action::Open),
        // The line with the sign that leads back.
        Page::Detail if detail.contains(at) && at.y == detail.y => Some(Action::Back),
        _ => None,
    }
}

/// How far along the bar, which has a margin of one cell at either end.
fn thousandths(x: u16, bar: Rect) -> u16 {
    let last = u32::from(bar.width.saturating_sub(3)).max(1);
    let cell = u32::from(x.saturating_sub(bar.x + 1)).min(last);
    u16::try_from(cell * 1000 / last).unwrap_or(1000)
}
