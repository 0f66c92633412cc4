//! What a picture costs with many connections: counted, not timed.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use observer::view::Wishes;
use support::scenes::troubled;
use support::screen::Screen;
use support::story::{Story, at, together};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts how often this thread asks.
struct Counting;

// SAFETY: everything is handed on to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: what the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: what the caller has promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations for one picture with so many connections besides those in trouble.
fn allocations(connections: u32, wishes: Wishes) -> usize {
    let mut stories = troubled();
    stories.extend((0..connections).map(|number| {
        let client = format!("10.3.{}.{}:40000", number / 250, number % 250);
        Story::of(&client, 1_000).greeting(1_001).stream(2_000, 4_000, 100_000, 64_000)
    }));
    let mut screen = Screen::after((120, 40), &together(stories), 60_000);
    screen.view = screen.view.arranged(wishes);
    // The first pictures make what later ones use again.
    screen.draw();
    screen.now = at(60_100);
    screen.draw();
    screen.now = at(60_200);
    ALLOCATIONS.set(0);
    screen.draw();
    ALLOCATIONS.get()
}

#[test]
fn only_what_is_on_the_screen_is_put_into_words() {
    let filtered = |filter: &str| Wishes { filter: filter.to_owned(), ..Wishes::default() };
    let sorted = |order: &str| Wishes { order: order.parse().expect("a column"), ..Wishes::default() };
    let all = [
        ("all of them", Wishes::default()),
        ("a filter that all have", filtered("40000")),
        ("a filter that none has, asked everything", filtered("nobody has this")),
        ("by process", sorted("process")),
        ("by thread", sorted("thread")),
    ];
    for (name, wishes) in all {
        let (few, many) = (allocations(100, wishes.clone()), allocations(5_000, wishes));
        // Lists of numbers grow by doubling; everything else has as many pieces as the screen.
        assert!(many <= few + 32, "{name}: {few} allocations with 100 connections, {many} with 5,000");
    }
}
