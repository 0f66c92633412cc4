//! Values as the user writes them.

use std::time::Duration;

use observer_core::{ServerAddress, ServerTimeout, Timeout, TimeoutSource};

use crate::report::Client;
use crate::source::live::server::ServerUrl;
use crate::source::recording::Given;
use crate::view::LONGEST_FILTER;

/// A net_write_timeout as the user gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenTimeout {
    /// That of every server.
    All(Duration),
    /// That of some.
    Of(ServerTimeout),
}

/// A server to ask, as it was given. clap's own message would repeat what was given, with the password in it, so what is
/// wrong with it is told later.
#[derive(Clone, Debug)]
pub struct GivenServer(pub(super) Result<ServerUrl, String>);

impl From<&str> for GivenServer {
    fn from(text: &str) -> Self {
        Self(text.parse())
    }
}

impl Given {
    pub(super) fn of(timeouts: &[GivenTimeout]) -> Self {
        let mut given = Self::default();
        for timeout in timeouts {
            match *timeout {
                GivenTimeout::All(duration) => {
                    given.net_write_timeout = Some(Timeout { duration, source: TimeoutSource::Flag });
                }
                GivenTimeout::Of(server) => given.server_timeouts.push(server),
            }
        }
        given
    }
}

/// Seconds in the range of the servers' variable, after an address and `=` where it is one server's.
pub(super) fn parse_timeout(text: &str) -> Result<GivenTimeout, String> {
    let (server, seconds) = match text.rsplit_once('=') {
        Some((server, seconds)) => (Some(server.parse::<ServerAddress>()?), seconds),
        None => (None, text),
    };
    let seconds = seconds.parse().ok().filter(|seconds| (1..=31_536_000).contains(seconds));
    let duration = Duration::from_secs(seconds.ok_or("not a number of seconds from 1 to 31536000")?);
    Ok(server
        .map_or(GivenTimeout::All(duration), |server| GivenTimeout::Of(ServerTimeout { server, duration })))
}

/// Seconds, fractions allowed, between a tenth and an hour: faster costs more than it shows.
pub(super) fn parse_poll(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "not a number of seconds from 0.1 to 3600".to_owned())
}

/// How fast time goes, in a range in which one can see anything.
pub(super) fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| (0.1..=1000.0).contains(speed));
    speed.ok_or_else(|| "not a number from 0.1 to 1000".to_owned())
}

/// A filter that could be typed.
pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    if text.chars().count() > LONGEST_FILTER {
        return Err(format!("longer than {LONGEST_FILTER} letters"));
    }
    Ok(text.to_owned())
}

/// Whole seconds up to a day: what has ended takes the room of what lives.
pub(super) fn parse_keep(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| "not a number of seconds from 0 to 86400".to_owned())
}

pub(super) fn parse_client(text: &str) -> Result<Client, String> {
    let host = || text.trim_matches(['[', ']']).parse().map(Client::Host);
    text.parse().map(Client::Socket).or_else(|_| host()).map_err(|_| "not an IP address".to_owned())
}

/// A size the kernel takes for a ring buffer: a power of two and whole pages (`ringbuf_map_alloc` in
/// kernel/bpf/ringbuf.c). 64 KiB pages make the smallest sizes fail on such hosts; the kernel says so then.
pub(super) fn parse_ring_size(text: &str) -> Result<u32, String> {
    bytes(text)
        .and_then(|size| u32::try_from(size).ok())
        .filter(|size| size.is_power_of_two() && (1 << 12..=1 << 30).contains(size))
        .ok_or_else(|| "not a power of two from 4K to 1024M".to_owned())
}

/// Room on a disk.
pub(super) fn parse_room(text: &str) -> Result<u64, String> {
    let size = bytes(text).filter(|size| (1 << 16..=1 << 50).contains(size));
    size.ok_or_else(|| "not a size from 64K on, such as 16M or 2G".to_owned())
}

/// An age between a minute and a year, in seconds or with a unit.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    let seconds = with_unit(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]);
    let age = seconds.filter(|seconds| (60..=366 * 86_400).contains(seconds)).map(Duration::from_secs);
    age.ok_or_else(|| "not a time from 1m to 366d, such as 12h".to_owned())
}

fn bytes(text: &str) -> Option<u64> {
    with_unit(text, &[("K", 1 << 10), ("k", 1 << 10), ("M", 1 << 20), ("m", 1 << 20), ("G", 1 << 30)])
}

/// A whole number, with one of `units` or without.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let with = units.iter().find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
    let (digits, times) = with.unwrap_or((text, 1));
    digits.parse::<u64>().ok()?.checked_mul(times)
}
