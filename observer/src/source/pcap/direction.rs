//! What one end has sent, brought up to date segment by segment.
//!
//! What counts as what is the same as in the kernel programs (observer-ebpf/src/track.rs): a capture and the live view
//! of the same connection have to agree.

use std::time::Duration;

use observer_core::{Answered, DirectionSample, SeqNumber, SocketEventKind, Timestamp};

use super::gaps::Gaps;
use super::milestones::Milestones;
use super::recent::Recent;
use super::segment::{ACK, FIN, Segment, WindowScale};

/// Probes, and the answers to them, are told this often at most: a hostile peer can send many, and their number is
/// counted anyway.
const PROBE_PACE: Duration = Duration::from_millis(50);

/// What one end has sent.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) segments: u64,
    sent: u64,
    acknowledged: u64,
    /// What comes next, once something was seen.
    pub(super) next_seq: Option<SeqNumber>,
    pub(super) ack: Option<SeqNumber>,
    /// Of the last segment that was not old, not scaled.
    window: u16,
    /// Whether the window is closed.
    pub(super) closed: bool,
    zero_windows: u32,
    probes: u32,
    probe_acks: u32,
    probe_told: Option<Timestamp>,
    last_ack_advance: Option<Timestamp>,
    milestones: Milestones,
    /// How the answer to its last payload comes in.
    answer: Option<Answered>,
    /// What it had acknowledged when it sent that.
    asked: u64,
    retransmissions: u32,
    pub(super) scale: WindowScale,
    /// The initial sequence number.
    pub(super) syn: Option<SeqNumber>,
    pub(super) fin: bool,
    pub(super) reset: bool,
    pub(super) recent: Recent,
    gaps: Gaps,
}

/// What a segment brought.
#[expect(clippy::struct_excessive_bools, reason = "one segment can bring any of them")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Followed {
    probe: bool,
    zero_window: bool,
    probe_ack: bool,
    window_update: bool,
    pub(super) fin: bool,
    /// Bytes of its payload that were new: the last ones.
    pub(super) new: u32,
    /// Whether something before them was not seen.
    pub(super) jumped: bool,
}

impl Direction {
    /// Takes over what a SYN says.
    pub(super) fn open(&mut self, segment: &Segment<'_>) {
        self.syn = Some(segment.seq);
        self.scale = segment.window_scale();
        // Its own window is never scaled, those of all later segments are (RFC 7323, 2.2).
        self.window = match self.scale {
            WindowScale::Shift(shift) => segment.window >> shift,
            _ => segment.window,
        };
        self.next_seq = Some(SeqNumber(segment.seq.0.wrapping_add(1)));
        if segment.has(ACK) {
            self.ack = Some(segment.ack);
        }
    }

    /// Brings it up to date with one of its segments. What is missing before `whole_since` belongs to the beginning of
    /// the capture.
    pub(super) fn follow(
        &mut self,
        at: Timestamp,
        whole_since: Timestamp,
        segment: &Segment<'_>,
        peer: &mut Self,
    ) -> Followed {
        let mut followed = Followed::default();
        let looks_like_probe = peer.ack.is_some_and(|expected| is_probe(segment, expected));
        if peer.closed && looks_like_probe {
            self.probes = self.probes.saturating_add(1);
            followed.probe = true;
        }
        self.follow_seq(at, whole_since, segment, looks_like_probe, &mut followed);
        if segment.has(ACK) {
            self.follow_ack(at, whole_since, segment, peer, &mut followed);
        }
        if followed.new > 0 {
            (self.asked, self.answer) = (self.acknowledged, None);
        }
        followed
    }

    fn follow_seq(
        &mut self,
        at: Timestamp,
        whole_since: Timestamp,
        segment: &Segment<'_>,
        looks_like_probe: bool,
        followed: &mut Followed,
    ) {
        let fin = u32::from(segment.has(FIN));
        let end = segment.end();
        if let Some(next) = self.next_seq {
            if end.is_after(next) {
                if segment.seq.is_after(next) {
                    followed.jumped = true;
                    if at >= whole_since {
                        self.gaps.jumped(at, next, segment.seq);
                    }
                } else if next.is_after(segment.seq) {
                    // What is sent again with what follows fills holes too.
                    self.gaps.fill(segment.seq, next);
                }
                let new = end.distance_from(next) - fin;
                self.next_seq = Some(end);
                self.sent += u64::from(new);
                followed.new = new.min(segment.length);
            } else if segment.length > 0 && !looks_like_probe && !self.gaps.fill(segment.seq, end) {
                self.retransmissions = self.retransmissions.saturating_add(1);
            }
        } else {
            self.next_seq = Some(end);
            self.sent = u64::from(segment.length);
            followed.new = segment.length;
        }
        if fin != 0 && !self.fin {
            self.fin = true;
            followed.fin = true;
        }
    }

    fn follow_ack(
        &mut self,
        at: Timestamp,
        whole_since: Timestamp,
        segment: &Segment<'_>,
        peer: &mut Self,
        followed: &mut Followed,
    ) {
        let acknowledged = self.ack.map_or(0, |known| segment.ack.distance_from(known));
        if acknowledged > i32::MAX.unsigned_abs() {
            return; // an old segment: its window says nothing about now (RFC 9293, 3.10.7.4)
        }
        self.ack = Some(segment.ack);
        if acknowledged != 0 {
            self.acknowledged += u64::from(acknowledged);
            let before = self.last_ack_advance.replace(at);
            let asked = self.asked;
            match (&mut self.answer, before) {
                (Some(answer), Some(before)) => answer.pause = answer.pause.max(at.since(before)),
                (answer, _) => *answer = Some(Answered { at, acknowledged: asked, pause: Duration::ZERO }),
            }
            self.milestones.note(at, self.acknowledged);
        }
        match peer.next_seq {
            Some(next) if at >= whole_since => peer.gaps.acknowledged(at, next, segment.ack),
            // What was sent before the capture began.
            Some(next) if segment.ack.is_after(next) => peer.next_seq = Some(segment.ack),
            Some(_) => {}
            None => peer.next_seq = Some(segment.ack),
        }
        self.window = segment.window;
        if segment.window == 0 {
            if !self.closed {
                self.closed = true;
                self.zero_windows = self.zero_windows.saturating_add(1);
                followed.zero_window = true;
            } else if acknowledged == 0 && segment.length == 0 {
                self.probe_acks = self.probe_acks.saturating_add(1);
                followed.probe_ack = true;
            }
        } else if self.closed {
            self.closed = false;
            followed.window_update = true;
        }
    }

    /// Whether what a segment brought is told now.
    pub(super) fn may_tell(&mut self, at: Timestamp, followed: Followed) -> bool {
        if followed.zero_window || followed.window_update || followed.fin {
            return true;
        }
        let due = (followed.probe || followed.probe_ack)
            && self.probe_told.is_none_or(|told| at.since(told) >= PROBE_PACE || at < told);
        if due {
            self.probe_told = Some(at);
        }
        due
    }

    /// The window it advertised last, in bytes.
    pub(super) fn window(&self, peer: &Self) -> Option<u32> {
        self.ack.and_then(|_| self.scale.apply(peer.scale, self.window))
    }

    /// Counts the gaps in what it has sent, its peer having acknowledged up to `ack`.
    pub(super) fn settle_gaps(&mut self, now: Timestamp, ack: Option<SeqNumber>) -> u64 {
        let Some(ack) = ack else { return 0 };
        let (gaps, reaches_ack) = self.gaps.settle(now, ack);
        if let Some(next) = self.next_seq.filter(|next| reaches_ack && ack.is_after(*next)) {
            self.sent += u64::from(ack.distance_from(next));
            self.next_seq = Some(ack);
        }
        gaps
    }

    /// Its counters.
    pub(super) fn sample(&self, peer: &Self) -> DirectionSample {
        // A FIN takes a sequence number but is no byte of payload.
        let acknowledged_fin = peer.fin && self.ack.is_some() && self.ack == peer.next_seq;
        let milestones = if self.closed { self.milestones.points().to_vec() } else { Vec::new() };
        DirectionSample {
            segments: self.segments,
            sent: self.sent,
            acknowledged: self.acknowledged.saturating_sub(u64::from(acknowledged_fin)),
            next_seq: self.next_seq.unwrap_or_default(),
            ack: self.ack.unwrap_or_default(),
            window: self.window(peer),
            zero_windows: self.zero_windows,
            probes: self.probes,
            probe_acks: self.probe_acks,
            last_ack_advance: self.last_ack_advance,
            milestones,
            answered: self.answer.filter(|_| self.closed).map(Box::new),
            retransmissions: self.retransmissions,
        }
    }
}

impl Followed {
    /// Whether it shows that data waits behind a closed window.
    pub(super) fn shows_waiting(self) -> bool {
        self.probe || self.probe_ack
    }

    /// What is told of it, in the order in which it counts.
    pub(super) fn events(
        self,
        by: observer_core::End,
        segment: &Segment<'_>,
        window: Option<u32>,
        in_result: Option<bool>,
    ) -> impl Iterator<Item = SocketEventKind> {
        let ack = segment.ack;
        let fin_seq = SeqNumber(segment.seq.0.wrapping_add(segment.length));
        [
            self.probe.then_some(SocketEventKind::ZeroWindowProbe { by }),
            self.zero_window.then_some(SocketEventKind::ZeroWindow { by, ack }),
            self.probe_ack.then_some(SocketEventKind::ZeroWindowProbeAck { by }),
            self.window_update.then_some(SocketEventKind::WindowUpdate { by, window, ack }),
            self.fin.then_some(SocketEventKind::Fin { by, seq: fin_seq, in_result }),
        ]
        .into_iter()
        .flatten()
    }
}

/// Linux probes with an empty segment one before what the peer expects (`tcp_xmit_probe_skb`), others with the next
/// byte.
fn is_probe(segment: &Segment<'_>, expected: SeqNumber) -> bool {
    let before = expected.distance_from(segment.seq);
    !segment.has(FIN) && ((before == 1 && segment.length <= 1) || (before == 0 && segment.length == 1))
}
