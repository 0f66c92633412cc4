//! What is remembered for the verdict, and when the verdict is told.

use std::time::Duration;

use crate::connection::{Connection, Ending, History, Phase, ServerFin, Siblings, Unanswered};
use crate::finding::FindingKind;
use crate::flow::End;
use crate::rules::Context;
use crate::sample::{DirectionSample, WireSample};
use crate::seq::SeqNumber;
use crate::time::Timestamp;
use crate::verdict::{Verdict, VerdictKind};

/// A verdict waits this long after the end: for the last counters, and for what becomes of the server's other
/// connections. A server that dies takes all of them with it within some milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Data that was not acknowledged for this long is unanswered.
const ANSWER: Duration = Duration::from_secs(1);

/// What is remembered.
impl Connection {
    /// The first FIN or RST, or the end without one. A disappearance is no ending of its own where a FIN or RST comes
    /// to be known.
    pub(super) fn note_ending(&mut self, at: Timestamp, by: Option<End>, reset: bool) {
        let (command, reply) = (self.commanded_at(), self.last_progress);
        let was_lost = self.phase == Phase::Lost;
        let history = self.history_mut();
        if by == Some(End::Client) {
            history.client_left.get_or_insert(at);
        }
        if history.ending.is_none_or(|ending| ending.by.is_none()) {
            (history.command, history.reply) = (command, reply);
            history.was_lost |= was_lost;
            history.ending = Some(Ending { at, by, reset });
        }
    }

    /// When the server had acknowledged the client's last data, as far as the counters tell.
    pub(crate) fn commanded_at(&self) -> Option<Timestamp> {
        Some(self.last_command).filter(|at| *at > Timestamp::EPOCH)
    }

    /// A segment with the server's FIN, the first or the same at the other end.
    pub(super) fn note_fin(&mut self, at: Timestamp, seq: SeqNumber, in_result: Option<bool>) {
        let after = |ack: SeqNumber| (seq == ack || seq.is_after(ack)).then(|| seq.distance_from(ack));
        // What was acknowledged long before the FIN was an answer, and no farewell.
        let was_answer = self.last_progress.is_some_and(|progress| progress + PATIENCE <= at);
        let since_sample = if was_answer { self.newest_ack } else { self.counted_ack }.and_then(after);
        let fin = &mut self.history_mut().fin;
        match fin {
            Some(known) => known.in_result = known.in_result.or(in_result),
            None => *fin = Some(ServerFin { at, seq, in_result, since_sample }),
        }
    }

    /// The counters tell when the client spoke last, and whether it is still heard.
    pub(super) fn note_traffic(&mut self, at: Timestamp, sample: &WireSample) {
        self.last_command = self.last_command.max(sample.server.last_ack_advance.unwrap_or_default());
        // What comes after a silence is not yet counted: it may be the server's farewell.
        let after_silence = match (sample.client.last_ack_advance, self.last_progress) {
            (Some(now), Some(before)) => now.since(before) >= ANSWER,
            _ => false,
        };
        if !after_silence || self.counted_ack.is_none() {
            self.counted_ack = Some(sample.client.ack);
        }
        self.newest_ack = Some(sample.client.ack);
        let unanswered =
            [(End::Client, &sample.client, &sample.server), (End::Server, &sample.server, &sample.client)]
                .into_iter()
                .find_map(|(by, sender, peer)| unanswered(at, by, sender, peer));
        let before = self.history.as_ref().and_then(|history| history.unanswered);
        if unanswered.is_some() || before.is_some() {
            self.history_mut().unanswered = unanswered.map(|now| now.after(before));
        }
    }
}

/// Whether `peer` does not acknowledge what `sender` sends, which has sent something again, now or before.
fn unanswered(
    at: Timestamp,
    by: End,
    sender: &DirectionSample,
    peer: &DirectionSample,
) -> Option<Unanswered> {
    let since = peer.last_ack_advance?;
    let waits = sender.next_seq.is_after(peer.ack) && at.since(since) >= ANSWER && sender.retransmissions > 0;
    let sent_again = sender.retransmissions;
    waits.then_some(Unanswered { by, since, sent_again_before: sent_again, sent_again })
}

/// Telling it.
impl Connection {
    /// When the verdict is to be told, if it may have to be.
    pub(crate) fn verdict_due(&self) -> Option<Timestamp> {
        let history = self.history.as_deref().filter(|_| self.phase == Phase::Closed)?;
        (!history.told && !self.is_plain(history)).then(|| self.last_seen + PATIENCE)
    }

    /// Whether nothing more will be told of it.
    pub(crate) fn is_told(&self) -> bool {
        self.history.as_ref().is_some_and(|history| history.told)
    }

    /// Whether the client simply closed a connection that had never been in trouble.
    fn is_plain(&self, history: &History) -> bool {
        let by_client = history.ending.is_some_and(|ending| ending.by == Some(End::Client) && !ending.reset);
        by_client && !self.is_troubled() && history.past.count == 0
    }

    /// The connection is gone, and no more will be known of it.
    pub(crate) fn tell_verdict(&mut self, at: Timestamp, siblings: Option<Siblings>, cx: &mut Context<'_>) {
        self.note_siblings(siblings);
        self.history_mut().told = true;
        let verdict = self.verdict(at, cx.config);
        if self.is_worth_telling(&verdict) {
            self.find(at, FindingKind::Verdict(Box::new(verdict)), cx);
        }
    }

    /// What became of the server's other connections is known.
    pub(crate) fn note_siblings(&mut self, siblings: Option<Siblings>) {
        if let Some(history) = self.history.as_deref_mut().filter(|_| siblings.is_some()) {
            history.siblings = siblings;
        }
    }

    /// A connection in no trouble may end without a finding: in plain ways, and in those of which nothing is known.
    fn is_worth_telling(&self, verdict: &Verdict) -> bool {
        let had_stalls = self.history.as_ref().is_some_and(|history| history.past.count > 0);
        let ending = self.ending();
        self.is_troubled()
            || had_stalls
            || match verdict.kind {
                VerdictKind::Open => false,
                VerdictKind::ClientClosed => {
                    ending.is_some_and(|ending| ending.reset) && self.last_progress.is_some()
                }
                VerdictKind::Unknown => {
                    self.was_established() && ending.is_some_and(|ending| ending.by.is_some())
                }
                _ => true,
            }
    }
}
