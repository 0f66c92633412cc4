//! The kernel programs on real TCP: every test makes its own traffic on loopback and reads back what was told of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

mod extras;
mod harness;
mod losses;
mod resets;
mod story;
mod surroundings;
