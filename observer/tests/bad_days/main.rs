//! The program on bad days: a host that lacks something, a log that cannot be written, and ends of every kind.
//!
//! Every test runs the program itself. What has to be missing is missing in a mount namespace of the test's own.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod disk_full;
mod ends;
mod harness;
mod hostile;
mod log_path;
mod missing_parts;
mod privileges;
mod screen;
#[path = "../support/mod.rs"]
mod support;
