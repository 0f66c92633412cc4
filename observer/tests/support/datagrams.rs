//! Packets by the million, of a port that nobody observes.
//!
//! One system call for each makes a fifth of a million a second. By UDP's segmentation offload one call hands over many
//! datagrams as one packet, and where the receiver has not asked for such (`UDP_GRO`) the kernel takes it apart before the
//! socket (`udp_queue_rcv_skb`, net/ipv4/udp.c). The ingress programs of cgroups then run for each datagram
//! (`sk_filter_trim_cap`, net/core/filter.c), also for those that find the receive buffer full after that. The egress
//! programs run once for all of them.

use std::net::UdpSocket;

use anyhow::Context as _;
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

/// Bytes of a datagram.
const SIZE: usize = 8;
/// Datagrams of one call: the most that every kernel since 4.18 takes (`UDP_MAX_SEGMENTS`).
const AT_ONCE: usize = 64;

/// Two sockets of loopback, one of which sends to the other, which never reads.
pub(crate) struct Datagrams {
    sender: UdpSocket,
    _receiver: UdpSocket,
}

impl Datagrams {
    /// Connects them.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let receiver = UdpSocket::bind("127.0.0.1:0").context("opening a receiver")?;
        let sender = UdpSocket::bind("127.0.0.1:0").context("opening a sender")?;
        sender.connect(receiver.local_addr()?).context("connecting")?;
        setsockopt(&sender, UdpGsoSegment, &i32::try_from(SIZE)?)
            .context("asking for segmentation (UDP_SEGMENT)")?;
        Ok(Self { sender, _receiver: receiver })
    }

    /// Sends as fast as it goes as long as it shall, which is asked with how many datagrams were sent so far. Gives how
    /// many they were; each has passed the ingress programs by then.
    pub(crate) fn send_while(&self, mut goes_on: impl FnMut(u64) -> bool) -> anyhow::Result<u64> {
        let payload = [b'x'; SIZE * AT_ONCE];
        let mut sent = 0;
        while goes_on(sent) {
            self.sender.send(&payload).context("sending datagrams")?;
            sent += AT_ONCE as u64;
        }
        Ok(sent)
    }
}
