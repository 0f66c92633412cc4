//! How far a recording has been played: the words in the header, and the bar.

use std::fmt;
use std::sync::Arc;

use observer_core::{Severity, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::canvas::put;
use super::theme;

/// How many times faster than it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(pub f64);

impl fmt::Display for Speed {
    /// `1x`, `0.5x`, `128x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x", (self.0 * 100.0).round() / 100.0))
    }
}

/// How far a recording has been played.
#[derive(Clone, Debug, PartialEq)]
pub struct Playback {
    /// The moment that is shown.
    pub now: Timestamp,
    /// The first and the last moment of the recording.
    pub extent: (Timestamp, Timestamp),
    /// How fast.
    pub speed: Speed,
    /// Whether it stands still.
    pub paused: bool,
    /// The findings in the recording.
    pub findings: Arc<[(Timestamp, Severity)]>,
}

impl Playback {
    /// What the header says: `REPLAY 14:03:41.2 4x`.
    pub(super) fn words(&self) -> String {
        let now = self.now.to_string();
        let time = now.get(11..21).unwrap_or_default();
        let speed = self.speed;
        if self.paused { format!("REPLAY {time} {speed} PAUSED") } else { format!("REPLAY {time} {speed}") }
    }
}

/// The bar, with a sign where something was found.
pub(super) struct Bar<'a> {
    pub(super) playback: &'a Playback,
}

impl Widget for &Bar<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let Playback { now, findings, .. } = self.playback;
        let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        if line.width == 0 || line.height == 0 {
            return;
        }
        let played = self.cell(*now, line.width);
        for cell in 0..line.width {
            let (sign, style) = if cell <= played { ("█", theme::ACCENT) } else { ("░", theme::DIM) };
            put(picture, line, line.x + cell, 1, sign, style);
        }
        // Where several meet, the most severe is seen.
        for severity in [Severity::Notice, Severity::Warning, Severity::Critical, Severity::Lost] {
            for (at, _) in findings.iter().filter(|(_, of)| *of == severity) {
                let cell = self.cell(*at, line.width);
                put(picture, line, line.x + cell, 1, theme::sign_of(severity), theme::of_severity(severity));
            }
        }
    }
}

impl Bar<'_> {
    /// The cell of a moment.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the width")]
    fn cell(&self, at: Timestamp, width: u16) -> u16 {
        let (first, last) = self.playback.extent;
        let whole = last.since(first).as_secs_f64();
        let share = if whole > 0.0 { (at.since(first).as_secs_f64() / whole).min(1.0) } else { 0.0 };
        (share * f64::from(width - 1)).round() as u16
    }
}
