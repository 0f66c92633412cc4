//! What Connector/J says around a result that it streams: its netTimeoutForStreamingResults before the query, and when the
//! result is closed what the server had at the login (`StatementImpl.setupStreamingTimeout`, `ResultsetRowsStreaming.close`).

use std::time::Duration;

use observer_core::{Config, End, FindingKind, Timestamp, Tracker, VerdictKind};

use super::talk::{GREETING, SECOND, Talk, packet};
use super::tell;
use crate::source::pcap::segment::{ACK, FIN};

use End::{Client, Server};

const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";
const END_OF_RESULT: &[u8] = b"\x07\0\0\x09\xfe\0\0\x22\0\0\0";

/// It agrees to attributes of statements, names itself in those of the connection, and says `COM_QUERY` with no attribute
/// of one set.
fn login() -> Vec<u8> {
    let capabilities: u32 = 0x0918_a209;
    let attributes = b"\x2b\x0c_client_name\x11MySQL Connector/J\x0f_client_version\x059.4.0";
    let attributes = [&[u8::try_from(attributes.len() - 1).unwrap()], &attributes[1..]].concat();
    let names = b"etl\0\x04hashshop\0caching_sha2_password\0";
    packet(1, &[&capabilities.to_le_bytes()[..], &[0; 28], names, &attributes].concat())
}

/// A client that logged in, streams under 600 s, and has stopped reading.
fn streaming() -> Talk {
    let mut talk = Talk::new().opened();
    talk.say(Server, GREETING);
    talk.say(Client, &login());
    talk.say(Server, OK);
    ask(&mut talk, "SET net_write_timeout=600", OK);
    ask(&mut talk, "SELECT * FROM big", &[b'x'; 2000]);
    stop_reading(&mut talk);
    talk
}

fn ask(talk: &mut Talk, statement: &str, answer: &[u8]) {
    talk.say(Client, &packet(0, &[b"\x03\0\x01", statement.as_bytes()].concat()));
    talk.say(Server, answer);
}

fn stop_reading(talk: &mut Talk) {
    talk.window[Client as usize] = 0;
    talk.send(Client, ACK, b"");
    talk.wait(SECOND / 5);
    talk.probe(Server);
    talk.send(Client, ACK, b"");
}

fn read_on(talk: &mut Talk) {
    talk.window[Client as usize] = 500;
    talk.send(Client, ACK, b"");
}

/// The judgement of all that has passed, with no more said of the server than there is in the packets, and the names of what
/// it was called.
fn judged(talk: &Talk) -> (Tracker, Vec<FindingKind>) {
    let mut tracker = Tracker::new(Config::default());
    for event in tell(talk) {
        tracker.handle_event(&event);
    }
    tracker.handle_timeout(Timestamp::from_micros(talk.now));
    let findings = std::iter::from_fn(|| tracker.poll()).map(|finding| finding.kind).collect();
    (tracker, findings)
}

/// How long the server waits altogether, by what is counted down.
fn counts_down_from(talk: &Talk) -> Duration {
    let (tracker, _) = judged(talk);
    let connection = tracker.connections().next().unwrap();
    let clock = connection.clock().unwrap();
    assert_eq!(clock.timeout, connection.timeout());
    clock.abort().latest.since(clock.started.latest)
}

#[test]
fn while_it_streams_the_countdown_is_against_its_own_timeout() {
    let mut talk = streaming();
    assert_eq!(counts_down_from(&talk), Duration::from_secs(600));
    talk.wait(250 * SECOND);
    let (_, findings) = judged(&talk);
    assert!(matches!(findings[..], [FindingKind::Stalled { .. }]), "{findings:?}");
}

#[test]
fn behind_the_result_it_is_against_the_old_one() {
    let mut talk = streaming();
    talk.wait(250 * SECOND);
    read_on(&mut talk);
    talk.say(Server, END_OF_RESULT);
    ask(&mut talk, "SET net_write_timeout=30", OK);
    ask(&mut talk, "SELECT * FROM another", &[b'x'; 2000]);
    stop_reading(&mut talk);
    assert_eq!(counts_down_from(&talk), Duration::from_secs(30));
    talk.wait(20 * SECOND);
    let (_, findings) = judged(&talk);
    assert!(matches!(findings[..], [.., FindingKind::Warning { .. }]), "{findings:?}");
}

#[test]
fn when_ten_minutes_were_too_short_its_own_setting_is_the_advice() {
    let mut talk = streaming();
    talk.wait(601 * SECOND);
    read_on(&mut talk);
    talk.send(Server, ACK | FIN, &[b'x'; 500]);
    talk.send(Client, ACK, b"");
    talk.send(Client, ACK | FIN, b"");
    talk.send(Server, ACK, b"");
    let (tracker, _) = judged(&talk);
    let connection = tracker.connections().next().unwrap();
    let verdict = connection.verdict(Timestamp::from_micros(talk.now), tracker.config());
    assert_eq!((verdict.kind, verdict.incomplete), (VerdictKind::NetWriteTimeout, Some(true)));
    let advice = verdict.advice.join("\n");
    assert!(advice.contains("netTimeoutForStreamingResults"), "{verdict:?}");
}
