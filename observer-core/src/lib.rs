//! The judgement of observer: events in, state and findings out.
//!
//! This crate reads no clock, does no I/O, spawns nothing and has no `unsafe`; its `clippy.toml` forbids what
//! would break that. Everything that needs a time takes it as an argument, so the same events always lead to
//! the same findings, whether they come from the running kernel, an event log, a capture or a test.
//!
//! The way through it: a source makes [`Event`]s, the caller hands them to the [`Tracker`], calls
//! [`Tracker::handle_timeout`] when [`Tracker::poll_timeout`] falls due, and takes [`Finding`]s from
//! [`Tracker::poll`] until there are none.

#![forbid(unsafe_code)]

mod clock;
mod config;
mod connection;
mod event;
mod finding;
mod flow;
mod owner;
mod rules;
mod sample;
mod seq;
mod session;
mod statement;
mod text;
mod time;
mod tracker;
mod verdict;

pub use clock::{Timeout, TimeoutSource, WriteClock};
pub use config::Config;
pub use connection::{
    Connection, EndView, Ending, Greeting, Phase, ServerProgram, SocketReading, WireReading,
};
pub use event::{Event, EventKind, LossPoint, Process, SocketEvent, SocketEventKind, SourceEvent};
pub use finding::{Finding, FindingKind, Reader, Severity};
pub use flow::{ConnectionId, End, Flow, SocketRef, Vantage};
pub use owner::{Owner, Owners};
pub use sample::{
    Answered, DirectionSample, LastRead, MILESTONE_STEP, Milestone, SocketSample, TcpState, TimerKind,
    WireSample,
};
pub use seq::SeqNumber;
pub use session::{
    Doubt, Hidden, ServerAddress, ServerSession, ServerTimeout, Session, capability, error_number,
};
pub use statement::{Account, Connector, Statement, StatementKind};
pub use text::{Bytes, Headline, Seconds, headline, logged_in, setting, told_statement, waits_for};
pub use time::{TimeRange, Timestamp};
pub use tracker::Tracker;
pub use verdict::{Confidence, RuledOut, Verdict, VerdictKind};
