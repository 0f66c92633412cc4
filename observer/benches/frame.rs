//! How long one picture of the view takes with very many connections: `cargo bench --bench frame`, with `-- --assert` to
//! fail when it is too long.

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

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crossterm::event::KeyCode;
use observer::view::Wishes;
use observer_core::Event;
use scenes::troubled;
use screen::Screen;
use story::{Story, at, together};

/// Connections besides those in trouble.
const CONNECTIONS: u32 = 10_000;
/// Pictures of each size; one in the middle counts.
const FRAMES: u64 = 101;
/// The most a picture may take.
const BUDGET: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let mut stories = troubled();
    stories.extend((0..CONNECTIONS).map(|number| {
        let client = format!("10.3.{}.{}:40000", number / 250, number % 250);
        Story::of(&client, 1000).greeting(1001).stream(2000, 12_000, 100_000, 64_000)
    }));
    let events = together(stories);
    let mut holds = true;
    for size in [(80, 24), (120, 40), (300, 100)] {
        for page in &PAGES {
            let middle = measure(page, size, &events);
            holds &= middle <= BUDGET;
            let verdict = if middle <= BUDGET { "" } else { "  OVER THE BUDGET" };
            println!("{:>3}x{:<3} {:<26} {:>6} us{verdict}", size.0, size.1, page.name, middle.as_micros());
        }
    }
    let asserts = std::env::args().any(|argument| argument == "--assert");
    if holds || !asserts { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is looked at.
struct Page {
    name: &'static str,
    order: &'static str,
    filter: &'static str,
    opened: bool,
}

const LIST: Page = Page { name: "list", order: "timeout", filter: "", opened: false };
const PAGES: [Page; 5] = [
    LIST,
    Page { name: "list by process", order: "process", ..LIST },
    Page { name: "list, filter all have", filter: "40000", ..LIST },
    // Every connection is asked for everything.
    Page { name: "list, filter none has", filter: "nowhere", ..LIST },
    Page { name: "page of one", opened: true, ..LIST },
];

/// The time of a picture in the middle of many.
fn measure(page: &Page, size: (u16, u16), events: &[Event]) -> Duration {
    let mut screen = Screen::after(size, events, 60_000);
    let order = page.order.parse().expect("a column");
    let wishes = Wishes { order, filter: page.filter.to_owned(), ..Wishes::default() };
    screen.view = screen.view.arranged(wishes);
    if page.opened {
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
    times[times.len() / 2]
}
