//! The region of events: what happened, newest at the bottom.

use std::collections::VecDeque;
use std::time::Duration;

use observer_core::{Bytes, Connection, End, Event, EventKind, Finding, Flow, SocketEventKind, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::canvas::{put, rule};
use super::fragment::{fragment, label};
use super::theme;
use crate::text::{safe, short, shorten_middle};

/// Entries kept; what is older is in the log.
const KEPT: usize = 1000;

/// A window that opens again within this time has only been touched: it is one of many in a healthy stream, or in
/// one that is drained in small reads.
const TOUCH: Duration = Duration::from_millis(250);

/// One line of the region.
#[derive(Clone, Debug)]
struct Entry {
    at: Timestamp,
    flow: Option<Flow>,
    /// Wireshark's name of the event, or the kind of the finding.
    label: &'static str,
    text: String,
    style: Style,
    repeats: Repeats,
}

/// What further events of the same connection can be told by the same line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    /// None.
    No,
    /// A zero window: how often, and whether it has opened again at once.
    ZeroWindow { times: u32, touched: bool },
    /// Probes of one stall.
    Probes(u32),
}

/// The latest events of note, bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct EventList {
    entries: VecDeque<Entry>,
}

impl EventList {
    /// Takes an event if it is one of note; whether it is.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        let EventKind::Socket(socket) = &event.kind else { return false };
        let (at, flow) = (event.at, socket.socket.flow);
        match &socket.kind {
            SocketEventKind::ZeroWindow { by: End::Client, .. } => self.zero_window(at, flow),
            SocketEventKind::WindowUpdate { by: End::Client, window, .. } => {
                self.window_update(at, flow, *window);
            }
            SocketEventKind::ZeroWindowProbe { by: End::Server } => self.probe(at, flow),
            SocketEventKind::Fin { by: End::Client, .. } => self.tell(at, flow, "FIN, by client"),
            SocketEventKind::Fin { by: End::Server, .. } => self.tell(at, flow, "FIN, by server"),
            SocketEventKind::Reset { by: End::Client } => self.tell(at, flow, "RST, by client"),
            SocketEventKind::Reset { by: End::Server } => self.tell(at, flow, "RST, by server"),
            _ => return false,
        }
        true
    }

    /// Takes a finding.
    pub(super) fn find(&mut self, finding: &Finding) {
        self.push(Entry {
            at: finding.at,
            flow: finding.flow,
            label: label(&finding.kind),
            text: safe(&fragment(finding)).into_owned(),
            style: theme::of_severity(finding.kind.severity()),
            repeats: Repeats::No,
        });
    }

    fn zero_window(&mut self, at: Timestamp, flow: Flow) {
        let before = self.newest(flow).filter(|&index| {
            matches!(self.entries[index].repeats, Repeats::ZeroWindow { touched: true, .. })
        });
        let times = match before.and_then(|index| self.entries.remove(index)).map(|entry| entry.repeats) {
            Some(Repeats::ZeroWindow { times, .. }) => times.saturating_add(1),
            _ => 1,
        };
        let text = if times == 1 { String::new() } else { format!("{times} in a row") };
        let repeats = Repeats::ZeroWindow { times, touched: false };
        self.push(Entry { at, flow: Some(flow), label: "ZeroWindow", text, style: Style::new(), repeats });
    }

    fn window_update(&mut self, at: Timestamp, flow: Flow, window: Option<u32>) {
        if let Some(index) = self.newest(flow)
            && let Entry { at: closed_at, text, repeats, .. } = &mut self.entries[index]
            && let Repeats::ZeroWindow { times, touched } = repeats
            && at.since(*closed_at) < TOUCH
        {
            *touched = true;
            *text =
                if *times == 1 { "open again".to_owned() } else { format!("{times} in a row, open again") };
            return;
        }
        let text = window.map_or_else(String::new, |window| format!("wnd {}", Bytes(window.into())));
        let (label, repeats) = ("WindowUpdate", Repeats::No);
        self.push(Entry { at, flow: Some(flow), label, text, style: Style::new(), repeats });
    }

    /// Probes of one stall are one line, that of the last of them.
    fn probe(&mut self, at: Timestamp, flow: Flow) {
        let of_this_stall =
            |entry: &&Entry| entry.flow != Some(flow) || !matches!(entry.repeats, Repeats::ZeroWindow { .. });
        let before = self.entries.iter().rev().take_while(of_this_stall);
        let earlier = before
            .enumerate()
            .find(|(_, entry)| entry.flow == Some(flow) && matches!(entry.repeats, Repeats::Probes(_)))
            .map(|(from_end, _)| self.entries.len() - 1 - from_end);
        let probes = match earlier.and_then(|index| self.entries.remove(index)).map(|entry| entry.repeats) {
            Some(Repeats::Probes(probes)) => probes.saturating_add(1),
            _ => 1,
        };
        let text = if probes == 1 { String::new() } else { format!("{probes} so far") };
        let (label, repeats) = ("ZeroWindowProbe", Repeats::Probes(probes));
        self.push(Entry { at, flow: Some(flow), label, text, style: Style::new(), repeats });
    }

    fn tell(&mut self, at: Timestamp, flow: Flow, label: &'static str) {
        let (text, style) = (String::new(), Style::new());
        self.push(Entry { at, flow: Some(flow), label, text, style, repeats: Repeats::No });
    }

    /// The newest line of a connection.
    fn newest(&self, flow: Flow) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.flow == Some(flow))
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

/// The region.
pub(super) struct Events<'a> {
    /// All events.
    pub(super) list: &'a EventList,
    /// Only those of this connection, with their distance from now instead of the time of day.
    pub(super) only: Option<&'a Connection>,
    /// The moment of the picture.
    pub(super) now: Timestamp,
}

impl Widget for &Events<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        if area.height < 2 {
            return;
        }
        rule(picture, area, "Events");
        let room = usize::from(area.height - 1);
        let shown = self.list.entries.iter().rev();
        let shown: Vec<_> =
            shown.filter(|entry| self.only.is_none_or(|only| is_of(entry, only))).take(room).collect();
        for (row, entry) in (area.y + 1..).zip(shown.into_iter().rev()) {
            self.line(entry, Rect { y: row, height: 1, ..area }, picture);
        }
    }
}

/// An older connection may have had the same addresses.
fn is_of(entry: &Entry, connection: &Connection) -> bool {
    entry.flow == Some(connection.flow()) && entry.at >= connection.first_seen()
}

impl Events<'_> {
    fn line(&self, entry: &Entry, area: Rect, picture: &mut Buffer) {
        let mut x = area.x + 1;
        let mut column = |text: &str, width: u16, style| {
            put(picture, area, x, width, text, style);
            x += width + 1;
        };
        if self.only.is_some() {
            column(&format!("{:>9}", format!("-{}", short(self.now.since(entry.at)))), 9, theme::DIM);
        } else {
            column(entry.at.to_string().get(11..23).unwrap_or_default(), 12, theme::DIM);
            let width: u16 = if area.width >= 100 { 22 } else { 20 };
            let client = entry.flow.map(|flow| flow.client.to_string()).unwrap_or_default();
            column(&shorten_middle(&client, width.into()), width, Style::new());
        }
        column(entry.label, 15, entry.style);
        column(&entry.text, area.width, Style::new());
    }
}
