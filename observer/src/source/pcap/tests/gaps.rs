//! What a capture does not have.

use observer_core::{End, LossPoint, SourceEvent};

use super::talk::{SECOND, Talk};
use super::{samples, source_events, tell};
use crate::source::pcap::segment::{ACK, FIN};

use End::{Client, Server};

/// A talk of three seconds with a piece of data in each tenth of them, of which some were not captured.
fn talk(missing: impl Fn(usize) -> bool) -> Talk {
    let mut talk = Talk::new().opened();
    for index in 0..30 {
        talk.wait(SECOND / 10);
        talk.say(Server, &[b'x'; 1000]);
        if missing(index) {
            let length = talk.packets.len();
            talk.packets.remove(length - 2);
        }
    }
    talk
}

fn lost(talk: &Talk) -> u64 {
    let losses = source_events(&tell(talk)).into_iter().map(|event| match event {
        SourceEvent::EventsLost { count, lost_by: LossPoint::Capture } => count,
        other => panic!("{other:?}"),
    });
    losses.sum()
}

#[test]
fn nothing_is_missing() {
    assert_eq!(lost(&talk(|_| false)), 0);
}

#[test]
fn what_was_acknowledged_and_not_seen_is_a_gap() {
    assert_eq!(lost(&talk(|index| index == 12)), 1);
    assert_eq!(lost(&talk(|index| index % 10 == 3)), 3);
    let sample = samples(&tell(&talk(|index| index == 12))).pop().unwrap().1;
    assert_eq!((sample.server.sent, sample.server.retransmissions), (30_000, 0));
}

#[test]
fn the_last_of_it_may_be_missing_too() {
    assert_eq!(lost(&talk(|index| index >= 29)), 0, "it may still come when the capture ends");
    let mut talk = talk(|index| index >= 29);
    talk.wait(SECOND);
    talk.send(Client, ACK, b"");
    assert_eq!(lost(&talk), 1);
}

#[test]
fn one_direction_alone_is_full_of_gaps() {
    assert!(lost(&talk(|_| true)) >= 3);
}

#[test]
fn what_the_network_has_lost_is_no_gap() {
    let mut talk = talk(|_| false);
    let seq = talk.next[Server as usize];
    talk.next[Server as usize] = seq + 1000;
    talk.send(Server, ACK, &[b'x'; 1000]);
    talk.wait(SECOND / 4);
    talk.next[Server as usize] = seq;
    talk.say(Server, &[b'x'; 1000]);
    talk.next[Server as usize] = seq + 2000;
    talk.wait(2 * SECOND);
    talk.send(Client, ACK, b"");
    assert_eq!(lost(&talk), 0);
}

#[test]
fn at_the_beginning_of_a_capture_something_is_always_missing() {
    let mut talk = talk(|index| index == 8);
    // From here on it is captured.
    talk.packets.drain(..16);
    assert_eq!(lost(&talk), 0);
}

#[test]
fn a_gap_is_told_before_the_end_that_may_hang_on_it() {
    let mut talk = talk(|index| index == 28);
    talk.wait(SECOND / 2);
    talk.send(Server, ACK | FIN, b"");
    let events = tell(&talk);
    let json: Vec<_> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let place = |name: &str| json.iter().position(|event| event["event"] == name).unwrap();
    assert!(place("events_lost") < place("fin"), "{json:?}");
}
