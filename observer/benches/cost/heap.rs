//! An allocator that counts, for each thread, what is held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Wraps when a thread frees what another one had allocated; differences are right all the same.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that this thread has allocated and not freed, with what the C library's malloc adds to each.
pub(crate) fn held() -> u64 {
    HELD.get()
}

/// The system's allocator, with a count.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What glibc's malloc takes for one allocation: a header of 8 bytes, in steps of 16, at least 32 (malloc/malloc.c).
const fn taken(size: usize) -> u64 {
    let chunk = size.saturating_add(8).next_multiple_of(16);
    if chunk < 32 { 32 } else { chunk as u64 }
}

// SAFETY: everything is passed on to the system's allocator as it came; counting allocates nothing, as the thread-local
// is made at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(taken(layout.size())));
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(taken(layout.size())));
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.set(HELD.get().wrapping_sub(taken(layout.size())).wrapping_add(taken(size)));
        // SAFETY: the caller keeps the promises of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
