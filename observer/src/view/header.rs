//! The first line: what is watched, how well, and the counts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::canvas::put;
use super::overview::Overview;
use super::pause::Mark;
use super::playback::Playback;
use super::theme;
use crate::log;
use crate::text::width;

/// The region.
pub(super) struct Header<'a> {
    /// Host and ports: `db1:3306`.
    pub(super) place: &'a str,
    /// Parts of the source that are missing.
    pub(super) degraded: &'a [String],
    /// How the writing of the log goes.
    pub(super) log: &'a log::Status,
    /// What the list is limited to.
    pub(super) filter: Option<String>,
    /// The counts.
    pub(super) overview: &'a Overview,
    /// Observations lost.
    pub(super) events_lost: u64,
    /// Of a recording, how far it has been played.
    pub(super) playback: Option<&'a Playback>,
    /// What is said of a picture that stands still.
    pub(super) paused: Option<&'a Mark>,
}

/// A piece of the line.
struct Item {
    text: String,
    style: Style,
    /// What goes first when there is no room: the highest.
    rank: u8,
}

/// Cells between two pieces on the left, and on the right, where a dot stands between them.
const GAPS: (u16, u16) = (2, 3);

impl Widget for &Header<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let (mut left, mut right) = (self.watched(), self.counts());
        fit(&mut left, &mut right, area.width);
        let mut x = area.x + 1;
        for item in &left {
            put(picture, area, x, area.width, &item.text, item.style);
            x += cells(&item.text) + GAPS.0;
        }
        let mut x = area.right().saturating_sub(1);
        for (index, item) in right.iter().rev().enumerate() {
            if index > 0 {
                x = x.saturating_sub(GAPS.1);
                put(picture, area, x + 1, 1, "·", theme::DIM);
            }
            x = x.saturating_sub(cells(&item.text));
            put(picture, area, x, area.width, &item.text, item.style);
        }
    }
}

/// Leaves out the pieces of the highest rank until the others fit.
fn fit(left: &mut Vec<Item>, right: &mut Vec<Item>, width: u16) {
    let sum = |items: &[Item], gap: u16| items.iter().map(|item| cells(&item.text) + gap).sum::<u16>();
    // A gap follows each piece: on the left the last one parts both sides, on the right it is more than two margins.
    let needed = |left: &[Item], right: &[Item]| sum(left, GAPS.0) + sum(right, GAPS.1).saturating_sub(1);
    while needed(left, right) > width {
        let Some(last) = left.iter().chain(right.iter()).map(|item| item.rank).max() else { return };
        left.retain(|item| item.rank < last);
        right.retain(|item| item.rank < last);
    }
}

fn cells(text: &str) -> u16 {
    // No host name or list of ports is longer than what a sum of a few of these can hold.
    u16::try_from(width(text)).unwrap_or(u16::MAX).min(1000)
}

impl Header<'_> {
    /// What is watched, and what is amiss with the watching.
    fn watched(&self) -> Vec<Item> {
        let mut items = vec![
            Item { text: "observer".to_owned(), style: theme::ACCENT, rank: 5 },
            Item { text: self.place.to_owned(), style: theme::STRONG, rank: 9 },
        ];
        if let Some(playback) = self.playback {
            items.insert(1, Item { text: playback.words(), style: theme::WARNING, rank: 2 });
        }
        if let Some(paused) = self.paused {
            items.insert(1, Item { text: paused.text.clone(), style: paused.style, rank: 2 });
        }
        if let Some(filter) = &self.filter {
            items.push(Item { text: filter.clone(), style: theme::WARNING, rank: 3 });
        }
        if let Some(text) = self.missing() {
            items.push(Item { text, style: theme::WARNING, rank: 3 });
        }
        if self.log.failing.is_some() {
            items.push(Item { text: "log not written".to_owned(), style: theme::CRITICAL, rank: 4 });
        } else if self.log.events_missing > 0 {
            let text = format!("log lacks {}", self.log.events_missing);
            items.push(Item { text, style: theme::WARNING, rank: 4 });
        }
        items
    }

    /// That the source lacks something, in a word or two: what, and why, stands among the events.
    fn missing(&self) -> Option<String> {
        match self.degraded {
            [] => None,
            parts if parts.iter().any(|part| part == "kernel programs") => Some("polling only".to_owned()),
            [_] => Some("1 part missing".to_owned()),
            parts => Some(format!("{} parts missing", parts.len())),
        }
    }

    /// The counts. What was lost is the last to go.
    fn counts(&self) -> Vec<Item> {
        let Overview { open, zero_windows, at_risk, .. } = *self.overview;
        let when = |some: bool, style| if some { style } else { theme::DIM };
        vec![
            Item { text: format!("{open} conns"), style: Style::new(), rank: 7 },
            Item {
                text: format!("{zero_windows} zero window"),
                style: when(zero_windows > 0, Style::new()),
                rank: 8,
            },
            Item { text: format!("{at_risk} at risk"), style: when(at_risk > 0, theme::WARNING), rank: 6 },
            Item {
                text: format!("{} lost", self.events_lost),
                style: when(self.events_lost > 0, theme::LOST),
                rank: 1,
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: u16, degraded: &[&str]) -> String {
        let overview = Overview { open: 42, zero_windows: 3, at_risk: 1, ..Overview::default() };
        let degraded: Vec<_> = degraded.iter().map(|&part| part.to_owned()).collect();
        let log = log::Status::default();
        let header = Header {
            place: "db1:3306",
            degraded: &degraded,
            log: &log,
            filter: None,
            overview: &overview,
            events_lost: 7,
            playback: None,
            paused: None,
        };
        let mut picture = Buffer::empty(Rect::new(0, 0, cells, 1));
        header.render(picture.area, &mut picture);
        picture.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim().to_owned()
    }

    #[test]
    fn what_is_missing_takes_little_room() {
        assert!(line(100, &[]).starts_with("observer  db1:3306   "));
        let parts = &["kernel programs", "other network namespaces", "tracefs"];
        let all = line(81, parts);
        assert!(all.starts_with("observer  db1:3306  polling only  "), "{all}");
        assert!(all.ends_with("  42 conns · 3 zero window · 1 at risk · 7 lost"), "{all}");
        // Only the host makes room.
        let all = line(80, parts);
        assert!(all.starts_with("observer  polling only  "), "{all}");
        assert!(all.ends_with("  42 conns · 3 zero window · 1 at risk · 7 lost"), "{all}");
        let missing = line(80, &["tracepoint tcp:tcp_destroy_sock"]);
        assert!(missing.contains("  1 part missing  "), "{missing}");
        let missing = line(80, &["tracepoint tcp:tcp_destroy_sock", "tracefs"]);
        assert!(missing.contains("  2 parts missing  "), "{missing}");
    }

    #[test]
    fn what_was_lost_is_the_last_to_go_and_what_is_missing_the_last_but_one() {
        let of = |cells| line(cells, &["kernel programs"]);
        let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(of(71)), "observer polling only 42 conns · 3 zero window · 1 at risk · 7 lost");
        assert_eq!(words(of(60)), "observer polling only 42 conns · 1 at risk · 7 lost");
        assert_eq!(words(of(45)), "observer polling only 1 at risk · 7 lost");
        assert_eq!(words(of(35)), "observer polling only 7 lost");
        assert_eq!(words(of(25)), "polling only 7 lost");
        assert_eq!(of(20), "7 lost");
        assert_eq!(of(3), "");
    }
}
