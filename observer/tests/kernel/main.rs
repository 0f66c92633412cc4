//! The kernel programs on real TCP: every test makes its own traffic on loopback and reads back what was told of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod by_hand;
#[path = "../support/cgroup.rs"]
mod cgroup;
mod extras;
mod floods;
mod forged;
mod harness;
mod losses;
#[path = "../support/privilege.rs"]
#[expect(dead_code, reason = "no test runs as another user")]
mod privilege;
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "nothing is said to the processes")]
mod process;
mod raw;
mod resets;
mod samples;
mod session;
mod statements;
mod story;
mod surroundings;
mod waits;
