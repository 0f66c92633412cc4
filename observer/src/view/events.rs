//! The region of events: what happened, newest at the bottom.

use std::collections::VecDeque;

use observer_core::{Bytes, End, Event, EventKind, Finding, Flow, SocketEventKind, Timestamp};
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

/// Wireshark's name for a window that has closed: a new stall begins.
const ZERO_WINDOW: &str = "ZeroWindow";

/// One line of the region.
#[derive(Clone, Debug)]
struct Entry {
    at: Timestamp,
    flow: Option<Flow>,
    /// Wireshark's name of the event, or the kind of the finding.
    label: &'static str,
    text: String,
    style: Style,
    /// Probes that this line stands for.
    probes: u32,
}

/// The latest events of note, bounded.
#[derive(Debug, Default)]
pub(super) struct EventList {
    entries: VecDeque<Entry>,
}

impl EventList {
    /// Takes an event if it is one of note; whether it is.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        let EventKind::Socket(socket) = &event.kind else { return false };
        let (label, text) = match &socket.kind {
            SocketEventKind::ZeroWindow { by: End::Client, .. } => (ZERO_WINDOW, String::new()),
            SocketEventKind::WindowUpdate { by: End::Client, window, .. } => (
                "WindowUpdate",
                window.map_or_else(String::new, |window| format!("wnd {}", Bytes(window.into()))),
            ),
            SocketEventKind::ZeroWindowProbe { by: End::Server } => {
                return self.probe(event.at, socket.socket.flow);
            }
            SocketEventKind::Fin { by: End::Client, .. } => ("FIN, by client", String::new()),
            SocketEventKind::Fin { by: End::Server, .. } => ("FIN, by server", String::new()),
            SocketEventKind::Reset { by: End::Client } => ("RST, by client", String::new()),
            SocketEventKind::Reset { by: End::Server } => ("RST, by server", String::new()),
            _ => return false,
        };
        let flow = Some(socket.socket.flow);
        self.push(Entry { at: event.at, flow, label, text, style: Style::new(), probes: 0 });
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
            probes: 0,
        });
    }

    /// Probes of one stall are one line, that of the last of them, with their count.
    fn probe(&mut self, at: Timestamp, flow: Flow) -> bool {
        let of_this_stall = |entry: &&Entry| entry.flow != Some(flow) || entry.label != ZERO_WINDOW;
        let before = self.entries.iter().rev().take_while(of_this_stall);
        let earlier = before.enumerate().find(|(_, entry)| entry.flow == Some(flow) && entry.probes > 0);
        let earlier = earlier.map(|(from_end, _)| self.entries.len() - 1 - from_end);
        let probes = earlier.and_then(|index| self.entries.remove(index)).map_or(1, |entry| entry.probes + 1);
        let text = if probes == 1 { String::new() } else { format!("{probes} so far") };
        let (flow, style) = (Some(flow), Style::new());
        self.push(Entry { at, flow, label: "ZeroWindowProbe", text, style, probes });
        true
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
    pub(super) only: Option<Flow>,
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
            shown.filter(|entry| self.only.is_none() || entry.flow == self.only).take(room).collect();
        for (row, entry) in (area.y + 1..).zip(shown.into_iter().rev()) {
            self.line(entry, Rect { y: row, height: 1, ..area }, picture);
        }
    }
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
