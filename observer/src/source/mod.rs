//! Where events come from.

pub mod file;
pub mod live;
pub mod pcap;
pub mod recording;
