//! The pictures in docs/screens/ are what the program draws now. `cargo xtask screens` makes them.

mod support;

use std::fs;
use std::path::Path;

use crossterm::event::KeyCode;
use observer::replay::Extent;
use observer::source::recording::{Options, Recording, Source};
use observer::view::{Playback, Speed};
use observer_core::{Config, Event, Timestamp};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use support::page::{both_ends, chart_of, page_of};
use support::recording::write_log;
use support::scenes::{calm, closing, lost, troubled};
use support::screen::Screen;
use support::story::together;
use support::svg::{escape, svg};

/// Set by `cargo xtask screens`: write them instead.
const WRITE: &str = "OBSERVER_WRITE_SCREENS";

/// One picture: its name, its title, what has happened, until when, on how large a screen.
struct Shot(&'static str, &'static str, Vec<Event>, u64, (u16, u16), &'static [KeyCode]);

/// The one of a recording that is being played.
const REPLAY: &str = "replay";

fn shots() -> Vec<Shot> {
    let mut gone = calm();
    gone.extend([closing(), lost()]);
    let one = || together(troubled());
    let mut recorded = calm();
    recorded.extend([closing(), lost()]);
    vec![
        Shot("overview", "A list of connections, one of them stalled", one(), 60_000, (80, 24), &[]),
        Shot("detail", "A stalled connection and its countdown", one(), 60_000, (80, 24), &[KeyCode::Enter]),
        Shot("combined", "The list and the stalled connection", one(), 60_000, (120, 40), &[]),
        Shot("lost", "Lost connections and why", together(gone), 82_000, (120, 40), &[]),
        Shot(REPLAY, "A recording on its way", together(recorded), 60_000, (120, 34), &[]),
    ]
}

/// What the player of a recording of these events says at `now`.
fn playback(events: &[Event], now: Timestamp) -> Playback {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    write_log(&log, "db1", events);
    let recording =
        Recording::open(&Source::open(&log).expect("a log"), &Options::default()).expect("a recording");
    let config = Config::default();
    let Extent { start, end, findings } = Extent::of(recording, &config).expect("its extent");
    Playback { now, extent: (start, end), speed: Speed(4.0), paused: false, findings }
}

#[test]
fn are_current() {
    for Shot(name, title, events, now, size, keys) in shots() {
        let mut screen = Screen::after(size, &events, now);
        if name == REPLAY {
            screen.view.show_playback(playback(&events, screen.now));
        }
        for &key in keys {
            screen.press(key);
        }
        screen.draw();
        let picture = svg(screen.view.terminal().backend().buffer(), title);
        keep(name, &picture);
    }
}

#[test]
fn the_chart_of_a_page_is_current() {
    keep("report", &chart_of(&page_of(&[("log", both_ends())])));
}

/// Compares a picture with the one that is kept, or writes it.
fn keep(name: &str, picture: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screens");
    let file = directory.join(name).with_extension("svg");
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&directory).expect("the directory can be made");
        fs::write(&file, picture).expect("the picture can be written");
    } else {
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == picture, "docs/screens/{name}.svg is not what is drawn now: cargo xtask screens");
    }
}

#[test]
fn text_cannot_be_markup() {
    assert_eq!(escape("<a b=\"c\">&'\x1b"), "&lt;a b=&quot;c&quot;&gt;&amp;&apos;\u{fffd}");
    let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
    buffer.content = vec![Cell::new("<"), Cell::new("⣿")];
    let picture = svg(&buffer, "</svg>");
    assert_eq!(picture.matches("</svg>").count(), 1);
    assert!(picture.contains(">&lt;</text>"), "{picture}");
    assert_eq!(picture.matches("h2.0v2.0").count(), 8, "eight dots: {picture}");
}
