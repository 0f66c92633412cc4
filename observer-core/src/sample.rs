//! States read from the kernel at the observer's own pace.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::seq::SeqNumber;
use crate::time::{Timestamp, seconds};

/// TCP's states, by the names of RFC 9293.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are RFC 9293's")]
pub enum TcpState {
    Established,
    SynSent,
    SynReceived,
    #[serde(rename = "fin-wait-1")]
    FinWait1,
    #[serde(rename = "fin-wait-2")]
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl TryFrom<u8> for TcpState {
    type Error = u8;

    /// From the kernel's number (`include/net/tcp_states.h`); an unknown number comes back as the error.
    fn try_from(state: u8) -> Result<Self, u8> {
        Ok(match state {
            1 => Self::Established,
            2 => Self::SynSent,
            // 12 is TCP_NEW_SYN_RECV: a request socket, the same state to the outside.
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            unknown => return Err(unknown),
        })
    }
}

/// Which timer of a socket is running (`idiag_timer` of `inet_diag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// No timer.
    None,
    /// Retransmission: the peer does not acknowledge.
    Retransmit,
    /// Keep-alive.
    KeepAlive,
    /// TIME-WAIT.
    TimeWait,
    /// Persist: the peer's window is closed and data waits behind it; the next probe falls due.
    Persist,
}

/// What socket diagnostics (`inet_diag`) say of one socket. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SocketSample {
    /// The state.
    pub state: TcpState,
    /// Received and not read by the application (Recv-Q).
    pub recv_queue: u32,
    /// Written by the application and not acknowledged by the peer (Send-Q).
    pub send_queue: u32,
    /// The timer that is running.
    pub timer: TimerKind,
    /// Time until that timer fires.
    #[serde(with = "seconds")]
    pub timer_expires: Duration,
    /// Probes sent without an answer, or retransmissions.
    pub timer_retries: u8,
    /// `sk_sndbuf`: the limit of the send buffer, in kernel memory (`truesize`).
    pub send_buffer: u32,
    /// `sk_wmem_queued`: what the send buffer holds, in kernel memory (`truesize`).
    pub send_buffer_used: u32,
    /// `sk_rcvbuf`: the limit of the receive buffer, in kernel memory.
    pub recv_buffer: u32,
    /// `sk_rmem_alloc`: what the receive buffer holds, in kernel memory.
    pub recv_buffer_used: u32,
    /// User that owns the socket.
    pub uid: u32,
    /// Inode of the socket in its owner's `/proc/PID/fd`; 0 for an orphan.
    pub inode: u32,
    /// `tcpi_rto`.
    #[serde(with = "seconds")]
    pub rto: Duration,
    /// `tcpi_rtt`, smoothed.
    #[serde(with = "seconds")]
    pub rtt: Duration,
    /// `tcpi_backoff`: how often the running timer's interval was doubled.
    pub backoff: u8,
    /// Time since the last data segment came in.
    #[serde(with = "seconds")]
    pub last_data_received: Duration,
    /// Time since the last data segment was sent.
    #[serde(with = "seconds")]
    pub last_data_sent: Duration,
    /// `tcpi_bytes_acked`: sent and acknowledged since the connection opened.
    pub bytes_acked: u64,
    /// `tcpi_bytes_received`: received and acknowledged since the connection opened.
    pub bytes_received: u64,
    /// `tcpi_notsent_bytes`: written by the application and not sent once.
    pub not_sent: u32,
    /// `net.ipv4.tcp_notsent_lowat` where it is set: a writer also waits while so much has not been sent once, until
    /// it is less than half of it (`tcp_stream_memory_free`, include/net/tcp.h).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notsent_lowat: Option<u32>,
    /// `tcpi_snd_wnd`: the window the peer advertised last; from 5.4 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_window: Option<u32>,
    /// `tcpi_rcv_wnd`: the window this end advertised last; from 6.2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recv_window: Option<u32>,
    /// `tcpi_snd_wscale`, the shift of windows the peer advertises; `None` without window scaling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_window_scale: Option<u8>,
    /// `tcpi_rcv_wscale`, the shift of windows this end advertises; `None` without window scaling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recv_window_scale: Option<u8>,
}

/// What the kernel programs have counted for one socket, read from their map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireSample {
    /// What the client has sent. (`client` and `server` are the addresses in the same JSON object.)
    #[serde(rename = "sent_by_client")]
    pub client: DirectionSample,
    /// What the server has sent.
    #[serde(rename = "sent_by_server")]
    pub server: DirectionSample,
    /// When the application last read from this socket, and which process it was (`tcp_rcv_space_adjust`), as far as
    /// that was followed: it is while any window is closed, and for some seconds more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_read: Option<LastRead>,
    /// Commands of the client that should have been told and were not, as it said too much at once: a hostile end is not
    /// to crowd out the others. 65,535 is that many or more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untold_by_client: u32,
    /// The same of the server's errors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untold_by_server: u32,
}

impl WireSample {
    /// The direction sent by `end`.
    pub fn sent_by(&self, end: crate::End) -> &DirectionSample {
        match end {
            crate::End::Client => &self.client,
            crate::End::Server => &self.server,
        }
    }
}

/// One direction of a connection, counted since the kernel programs first saw it. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectionSample {
    /// Segments, GSO super-packets counted once.
    pub segments: u64,
    /// Payload sent, without what was sent again.
    pub sent: u64,
    /// Payload of the other direction acknowledged by this one.
    pub acknowledged: u64,
    /// The next sequence number this end will send.
    pub next_seq: SeqNumber,
    /// The last acknowledgement number this end sent.
    pub ack: SeqNumber,
    /// The window this end advertised last, scaled; `None` while nothing was seen or the scale is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Zero windows this end has advertised: how often its window closed.
    pub zero_windows: u32,
    /// Zero-window probes this end has sent.
    pub probes: u32,
    /// Answers with window zero this end gave while its window was closed.
    pub probe_acks: u32,
    /// When this end last acknowledged new data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ack_advance: Option<Timestamp>,
    /// When this end had acknowledged how much, oldest first, one for every [`MILESTONE_STEP`] as far back as it was
    /// kept, and how much it was before the last pause; told only while a window is closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<Milestone>,
    /// How the answer to what this end sent last came in; told only while a window is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Box<Answered>>,
    /// Segments with payload that this end sent again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retransmissions: u32,
}

/// How far apart two [`Milestone`]s are, in bytes.
pub const MILESTONE_STEP: u64 = 512 * 1024;

/// A point of the curve of what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// When the count came to this.
    pub at: Timestamp,
    /// [`DirectionSample::acknowledged`] as it was then.
    pub acknowledged: u64,
}

/// How an answer came in, by its acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// When its first bytes were acknowledged.
    pub at: Timestamp,
    /// [`DirectionSample::acknowledged`] as it was just before.
    pub acknowledged: u64,
    /// The longest time since then in which nothing came.
    #[serde(with = "seconds")]
    pub pause: Duration,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's `skip_serializing_if` asks for"
)]
pub(crate) const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The last time an application read from its socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRead {
    /// When.
    pub at: Timestamp,
    /// Which process.
    pub process: crate::Process,
}
