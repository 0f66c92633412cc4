//! The same connection, captured at its client and at its server.

use std::time::Duration;

use observer_core::{Config, End, Finding, FindingKind, Timestamp, Tracker, Verdict};

use super::talk::{GREETING, SECOND, Talk, login, packet};
use super::tell;
use crate::source::pcap::segment::{ACK, FIN, RST, SYN};

use End::{Client, Server};

/// From one end to the other, in microseconds.
const DELAY: i64 = 10_000;

/// What fits into a frame: larger segments are cut on the way.
const FRAME: usize = 1000;

/// A talk as it passes both ends.
struct Both {
    now: i64,
    seen_at: [Talk; 2],
}

impl Both {
    /// A client whose window has just closed in mid-result.
    fn stalled() -> Self {
        let mut both = Self { now: Talk::new().now, seen_at: [Talk::new(), Talk::new()] };
        both.send(Client, SYN, b"");
        both.send(Server, SYN | ACK, b"");
        both.send(Client, ACK, b"");
        both.send(Server, ACK, GREETING);
        both.send(Client, ACK, &login());
        both.send(Server, ACK, b"\x07\0\0\x02\0\0\0\x02\0\0\0");
        both.send(Client, ACK, &packet(0, b"\x03SET net_write_timeout=5"));
        both.send(Server, ACK, b"\x07\0\0\x01\0\0\0\x02\0\0\0");
        both.send(Client, ACK, &packet(0, b"\x03SELECT * FROM big"));
        // It comes as fast as the client takes it: the server's buffer is full when the window closes.
        for _ in 0..2 {
            both.send(Server, ACK, &b"x".repeat(20_000));
            both.send(Client, ACK, b"");
        }
        both.send(Server, ACK, &[b'x'; 4000]);
        both.window(0);
        for pause in [SECOND / 5, SECOND / 2, SECOND, 2 * SECOND] {
            both.now += pause;
            for talk in &mut both.seen_at {
                talk.next[Server as usize] -= 1;
            }
            both.send(Server, ACK, b"");
            for talk in &mut both.seen_at {
                talk.next[Server as usize] += 1;
            }
            both.send(Client, ACK, b"");
        }
        both
    }

    /// A segment passes; nothing else does until it has arrived.
    fn send(&mut self, by: End, flags: u8, payload: &[u8]) {
        for (end, talk) in [Client, Server].into_iter().zip(&mut self.seen_at) {
            let is_cut = end != by && payload.len() > FRAME;
            talk.now = self.now + if end == by { 0 } else { DELAY };
            let last = payload.len().saturating_sub(1) / FRAME * FRAME;
            if is_cut {
                payload[..last].chunks(FRAME).for_each(|frame| talk.send(by, flags & !FIN, frame));
            }
            talk.send(by, flags, if is_cut { &payload[last..] } else { payload });
        }
        self.now += 2 * DELAY;
    }

    /// The client says how much it takes.
    fn window(&mut self, window: u16) {
        self.seen_at.iter_mut().for_each(|talk| talk.window[Client as usize] = window);
        self.send(Client, ACK, b"");
    }

    /// What is found at the client and at the server.
    fn judge(&self) -> [(Vec<Finding>, Verdict); 2] {
        [&self.seen_at[0], &self.seen_at[1]].map(|talk| {
            let mut tracker = Tracker::new(Config::default());
            for event in tell(talk) {
                tracker.handle_event(&event);
            }
            let findings = std::iter::from_fn(|| tracker.poll()).collect();
            let [connection] = tracker.connections().collect::<Vec<_>>()[..] else {
                panic!("one connection")
            };
            let now = Timestamp::from_micros(talk.now);
            (findings, connection.verdict(now, tracker.config()))
        })
    }
}

/// What both have found: the same, with stamps that differ by the way between them.
fn agreed(both: &Both) -> Vec<&'static str> {
    let [(client, client_verdict), (server, server_verdict)] = both.judge();
    assert_eq!(names(&client), names(&server));
    for (client, server) in client.iter().zip(&server) {
        let apart = client.at.since(server.at).max(server.at.since(client.at));
        assert!(apart <= Duration::from_micros(DELAY.cast_unsigned() * 2), "{client:?}\n{server:?}");
        assert_eq!(client.flow, server.flow);
    }
    let told = |verdict: &Verdict| (verdict.kind, verdict.confidence, verdict.incomplete);
    assert_eq!(told(&client_verdict), told(&server_verdict));
    names(&client)
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings
        .iter()
        .map(|finding| match finding.kind {
            FindingKind::Stalled { .. } => "stalled",
            FindingKind::Warning { .. } => "warning",
            FindingKind::Critical { .. } => "critical",
            FindingKind::Lost { .. } => "lost",
            FindingKind::Recovered { .. } => "recovered",
            FindingKind::ServerClosed { .. } => "server closed",
            FindingKind::Closed { .. } => "closed",
            FindingKind::Verdict(_) => "verdict",
            _ => "other",
        })
        .collect()
}

#[test]
fn a_client_that_reads_on_too_late() {
    let mut both = Both::stalled();
    both.now += 4 * SECOND;
    both.window(500);
    both.send(Server, ACK | FIN, &[b'x'; 4000]);
    both.send(Client, ACK, b"");
    both.send(Client, ACK | FIN, b"");
    both.send(Server, ACK, b"");
    let told = agreed(&both);
    for name in ["stalled", "warning", "critical", "lost", "closed"] {
        assert!(told.contains(&name), "{told:?}");
    }
}

#[test]
fn a_client_that_reads_on_in_time() {
    let mut both = Both::stalled();
    both.window(500);
    for _ in 0..50 {
        both.send(Server, ACK, &[b'x'; 4000]);
        both.send(Client, ACK, b"");
    }
    both.send(Server, ACK, b"\x07\0\0\x09\xfe\0\0\x22\0\0\0");
    both.send(Client, ACK, b"");
    both.now += 30 * SECOND;
    both.send(Client, ACK, &packet(0, b"\x01"));
    both.send(Server, ACK | FIN, b"");
    both.send(Client, ACK | FIN, b"");
    let told = agreed(&both);
    assert!(told.contains(&"recovered") && !told.contains(&"lost"), "{told:?}");
}

#[test]
fn a_server_that_resets() {
    let mut both = Both::stalled();
    both.now += 3 * SECOND / 2;
    both.send(Server, RST | ACK, b"");
    let told = agreed(&both);
    assert!(told.contains(&"server closed"), "{told:?}");
}
