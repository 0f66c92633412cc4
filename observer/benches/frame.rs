//! How long one picture of the view takes with very many connections: `cargo bench --bench frame`.

#![expect(clippy::print_stdout, reason = "a bench talks to who started it")]

#[path = "../tests/support/scenes.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod scenes;
#[path = "../tests/support/screen.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it")]
mod screen;
#[path = "../tests/support/story.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it")]
mod story;

use std::time::{Duration, Instant};

use crossterm::event::KeyCode;
use scenes::troubled;
use screen::Screen;
use story::{Story, at, together};

/// Connections besides those in trouble.
const CONNECTIONS: u32 = 10_000;
/// Pictures of each size; one in the middle counts.
const FRAMES: u64 = 101;
/// The most a picture may take.
const BUDGET: Duration = Duration::from_millis(5);

fn main() {
    let mut stories = troubled();
    stories.extend((0..CONNECTIONS).map(|number| {
        let client = format!("10.3.{}.{}:40000", number / 250, number % 250);
        Story::of(&client, 1000).stream(2000, 12_000, 100_000, 64_000)
    }));
    let events = together(stories);
    for size in [(80, 24), (120, 40), (300, 100)] {
        for page in ["list", "page of one"] {
            let mut screen = Screen::after(size, &events, 60_000);
            if page != "list" {
                screen.press(KeyCode::Enter);
            }
            screen.draw();
            let times = (0..FRAMES).map(|frame| {
                screen.now = at(60_000 + frame * 100);
                let since = Instant::now();
                screen.draw();
                since.elapsed()
            });
            let mut times: Vec<_> = times.collect();
            times.sort_unstable();
            let middle = times[times.len() / 2];
            let verdict = if middle <= BUDGET { "" } else { "  OVER THE BUDGET" };
            println!("{:>3}x{:<3} {page:<12} {:>6} us{verdict}", size.0, size.1, middle.as_micros());
        }
    }
}
