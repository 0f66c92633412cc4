//! Metrics for Prometheus (docs/METRICS.md).
//!
//! | file | what it does |
//! |---|---|
//! | `figures` | what is exported of the judgement, at one moment |
//! | `gatherer` | hears what happens and keeps the figures up to date |
//! | `exposition` | each metric: its name, its meaning, and the figure it shows; as text |
//! | `process` | what this process uses itself |
//! | `server` | answers whoever asks, on a thread of its own |

mod exposition;
mod figures;
mod gatherer;
mod process;
mod server;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

pub use exposition::Exposition;
pub use figures::{Figures, MOST_SERVERS, ServerFigures};
pub use gatherer::Gatherer;
pub use server::{LIFETIME, MOST_CONNECTIONS, Serving, bind, serve};

/// Where metrics are served unless another address is asked for: to this host alone, at a port that is no other exporter's
/// by Prometheus' list (those have 9100 to 9999), and that the kernel gives to no client.
pub const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 10_306));
