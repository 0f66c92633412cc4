//! The story observer is about, played by real actors over real TCP on this host.
//!
//! [`Server`] speaks enough of the MySQL protocol for a client to stream a result, and above all **writes as
//! mysqld does**: a net buffer of 16 KiB, non-blocking sends, and a wait for POLLOUT that each time gets the
//! whole net_write_timeout. [`Client`] reads as an unbuffered cursor does, and can stop. [`Story`] puts a few of
//! them together. Nothing here touches a file, so the pair also serves tests in places that have none.

mod client;
mod protocol;
mod server;
mod story;
#[cfg(test)]
mod tests;
mod vio;

pub use client::{Client, ClientError, ClientOptions};
pub use server::{Server, ServerEvent, ServerEventKind, ServerOptions};
pub use story::{Narration, Story};
pub use vio::Dialect;
