//! Socket diagnostics (`inet_diag` over netlink): what the wire cannot tell.
//!
//! They know the connections that were open before the observer started, what an application has not read, what
//! waits unsent behind a closed window, and the orphans of closed ones. They take no privilege for the observer's
//! own network namespace, and are the whole source where the kernel programs cannot be loaded.
//!
//! ```text
//! spawn ── thread ── Poller        which namespaces, and what does not work
//!                      └ Sweep     one namespace: what is new, what is gone
//!                         ├ Netlink ── request, decode, tcp_info
//!                         ├ Scope  which sockets are in the cgroup, where only one is observed
//!                         └ Known  what was told already
//! ```
//!
//! Each poll is one batch of events: samples of new and changed sockets and of those in trouble,
//! [`Destroyed`](observer_core::SocketEventKind::Destroyed) for those that are gone, and
//! [`SocketsPolled`](observer_core::SourceEvent::SocketsPolled) at the end. What does not work is a
//! [`Degraded`](observer_core::SourceEvent::Degraded), once.

mod decode;
mod known;
mod namespaces;
mod netlink;
mod poller;
mod request;
mod scope;
mod survey;
mod sweep;
mod tcp_info;
mod thread;
mod troubles;

pub use survey::{SocketCount, Survey, survey};
pub use thread::{DiagHandle, DiagOptions, spawn};
pub(super) use thread::{cpu_time, spawn_told};
