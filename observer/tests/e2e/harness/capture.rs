//! tcpdump's view: the stamps of zero windows and of the connection's ends.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use observer_core::Timestamp;

use super::lab::Side;
use super::tcpdump::Tcpdump;

/// A segment that says something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    /// tcpdump's stamp.
    pub(crate) at: Timestamp,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// To whom.
    pub(crate) to: SocketAddr,
    /// tcpdump's letters: `S`, `F`, `R`, `P` and `.`.
    pub(crate) flags: String,
    /// The window field, not scaled.
    pub(crate) window: u32,
}

/// A running tcpdump that prints what matters.
pub(crate) struct Capture {
    tcpdump: Tcpdump,
}

impl Capture {
    /// Starts on the device of `side`, and waits until it captures.
    pub(crate) fn start(side: &Side, port: u16) -> anyhow::Result<Self> {
        // Only what is looked at: zero windows, SYN, FIN and RST. `tcp[]` knows no IPv6.
        let filter = format!(
            "tcp port {port} and ((ip and (tcp[14:2] = 0 or tcp[13] & 7 != 0)) \
             or (ip6 and (ip6[54:2] = 0 or ip6[53] & 7 != 0)))"
        );
        let tcpdump = Tcpdump::start(side, ["-nn", "-tt", "-l", "--immediate-mode", &filter])?;
        Ok(Self { tcpdump })
    }

    /// Waits for a segment that `wanted` is true of.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Segment) -> bool) -> anyhow::Result<Segment> {
        self.tcpdump.wait(what, |line| parse(line).filter(|segment| wanted(segment)))
    }

    /// Ends the capture and gives everything it saw.
    pub(crate) fn stop(self) -> anyhow::Result<Vec<Segment>> {
        self.tcpdump
            .stop()?
            .iter()
            // The signal ends a line that has not begun.
            .filter(|line| !line.is_empty())
            .map(|line| parse(line).with_context(|| format!("reading tcpdump's line {line:?}")))
            .collect()
    }
}

/// `1714831421.204007 IP 10.77.1.2.43210 > 10.77.1.1.13010: Flags [.], ack 1, win 0, options […], length 0`
fn parse(line: &str) -> Option<Segment> {
    let mut words = line.split(' ');
    let (seconds, micros) = words.next()?.split_once('.')?;
    let at = seconds.parse::<i64>().ok()? * 1_000_000 + micros.parse::<i64>().ok()?;
    let _ip = words.next()?;
    let from = address(words.next()?)?;
    let _arrow = words.next()?;
    let to = address(words.next()?.strip_suffix(':')?)?;
    let flags = line.split_once("Flags [")?.1.split_once(']')?.0.to_owned();
    let window = line.split_once(", win ")?.1.split_once(',')?.0.parse().ok()?;
    Some(Segment { at: Timestamp::from_micros(at), from, to, flags, window })
}

/// `10.77.1.2.43210`, `fd77::2.43210`.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once('.')?;
    Some((ip.parse::<IpAddr>().ok()?, port.parse().ok()?).into())
}
