//! What the tests of the program share.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod capture;
pub(crate) mod connection;
pub(crate) mod endings;
pub(crate) mod http;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod privilege;
pub(crate) mod process;
pub(crate) mod pty;
pub(crate) mod recording;
pub(crate) mod replayed;
pub(crate) mod scenes;
pub(crate) mod screen;
pub(crate) mod story;
pub(crate) mod svg;
