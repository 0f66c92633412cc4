//! Windows, probes, and segments that come twice, late or not in order.

use observer_core::{End, SeqNumber, SocketEventKind};

use super::files::Pcap;
use super::talk::{SECOND, Talk, story};
use super::{Reader, options, samples, source_events, tell, told};
use crate::source::pcap::segment::{ACK, SYN};

use End::{Client, Server};

/// A server that has filled the window of its client.
fn stalled() -> Talk {
    let mut talk = Talk::new().opened();
    talk.wait(SECOND);
    talk.send(Server, ACK, &[b'x'; 5000]);
    talk.wait(50);
    talk.window[Client as usize] = 0;
    talk.send(Client, ACK, b"");
    talk
}

#[test]
fn a_story_is_told_in_the_terms_of_wireshark() {
    let talk = story(Talk::new());
    let names = told(&tell(&talk)).into_iter().map(|kind| {
        let json = serde_json::to_value(kind).unwrap();
        let by = json["by"].as_str().map(|by| format!(" {by}")).unwrap_or_default();
        format!("{}{by}", json["event"].as_str().unwrap())
    });
    let expected = [
        "syn client",
        "syn server",
        "greeting",
        "login",
        "command",
        "reply",
        "zero_window client",
        "statement",
        "zero_window_probe server",
        "zero_window_probe_ack client",
        "zero_window_probe server",
        "zero_window_probe_ack client",
        "window_update client",
        "fin server",
        "fin client",
        "reset server",
    ];
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[test]
fn counters_are_told_at_a_steady_pace_and_before_the_end() {
    let talk = story(Talk::new());
    let events = tell(&talk);
    let samples = samples(&events);
    let closed = samples.iter().filter(|(_, sample)| sample.client.window == Some(0)).collect::<Vec<_>>();
    assert!(closed.len() >= 3, "every 200 ms while something changes: {closed:?}");
    let (_, stalled) = closed.last().unwrap();
    assert_eq!((stalled.server.probes, stalled.client.probe_acks, stalled.client.zero_windows), (2, 2, 1));
    let curve = &stalled.client.milestones;
    assert_eq!(curve.last().unwrap().acknowledged, stalled.client.acknowledged);
    assert_eq!(Some(curve.last().unwrap().at), stalled.client.last_ack_advance);
    assert!(
        curve.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].acknowledged < pair[1].acknowledged)
    );

    let began = stalled.client.answered.as_deref().unwrap();
    assert!((curve[0].at..=curve[1].at).contains(&began.at), "{began:?} {curve:?}");
    assert!(0 < began.acknowledged && began.acknowledged < stalled.client.acknowledged, "{began:?}");

    let (_, last) = samples.last().unwrap();
    assert_eq!(last.client.acknowledged, last.server.sent, "the FIN is no payload");
    assert_eq!(last.server.acknowledged, last.client.sent);
    assert_eq!(last.client.window, Some(400 << 7));
    assert!(last.client.milestones.is_empty(), "told only while a window is closed");
    let fin = events.iter().position(|event| told(std::slice::from_ref(event)).iter().any(is_fin)).unwrap();
    assert!(told(&events[fin - 1..fin]).is_empty(), "a sample comes right before the FIN");
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

fn is_fin(kind: &SocketEventKind) -> bool {
    matches!(kind, SocketEventKind::Fin { .. })
}

#[test]
fn a_capture_on_every_device_tells_the_same() {
    let talk = story(Talk::new());
    let mut twice = talk.clone();
    twice.packets =
        talk.packets.iter().flat_map(|(at, ip)| [(*at, ip.clone()), (*at + 15, ip.clone())]).collect();
    twice.packets.sort_by_key(|(at, _)| *at);
    // The capture ends at the same moment.
    twice.packets.pop();
    assert_eq!(tell(&twice), tell(&talk));
    let file = Pcap::default().file(&twice);
    let mut reader = Reader::new(&file[..], options()).unwrap();
    reader.by_ref().for_each(drop);
    assert_eq!(reader.statistics().duplicates, talk.packets.len() as u64 - 1);
}

#[test]
fn what_is_sent_again_is_counted_and_brings_nothing_new() {
    let mut talk = Talk::new().opened();
    talk.wait(SECOND);
    talk.send(Server, ACK, &[b'x'; 1000]);
    let seq = talk.next[Server as usize];
    talk.wait(SECOND / 4);
    talk.segment(Server, seq - 1000, ACK, &[b'x'; 1000]);
    talk.wait(100);
    talk.send(Client, ACK, b"");
    // A keep-alive is no retransmission.
    talk.wait(SECOND);
    talk.segment(Server, seq - 1, ACK, b"x");
    let sample = samples(&tell(&talk)).pop().unwrap().1;
    assert_eq!((sample.server.retransmissions, sample.server.sent, sample.server.next_seq.0), (1, 1000, seq));
}

#[test]
fn packets_out_of_order_are_no_retransmission_and_no_gap() {
    let mut talk = Talk::new().opened();
    talk.wait(SECOND);
    for _ in 0..6 {
        talk.send(Server, ACK, &[b'x'; 1000]);
        talk.wait(10);
    }
    talk.send(Client, ACK, b"");
    let length = talk.packets.len();
    talk.packets.swap(length - 2, length - 5);
    talk.packets.swap(length - 1, length - 3);
    talk.wait(2 * SECOND);
    talk.say(Client, b"\x01\0\0\0\x0e");
    let events = tell(&talk);
    let sample = samples(&events).pop().unwrap().1;
    assert_eq!((sample.server.retransmissions, sample.server.sent), (0, 6000));
    assert_eq!(source_events(&events), []);
}

#[test]
fn an_old_segment_says_nothing_of_the_window() {
    let mut talk = stalled();
    talk.wait(50);
    // Sent before the window closed.
    let ack = talk.next[Server as usize];
    talk.next[Server as usize] = ack - 5000;
    talk.window[Client as usize] = 500;
    talk.send(Client, ACK, b"");
    assert!(told(&tell(&talk)).iter().all(|kind| !matches!(kind, SocketEventKind::WindowUpdate { .. })));
}

#[test]
fn a_window_opens_by_its_scale() {
    let mut talk = stalled();
    talk.wait(SECOND);
    talk.window[Client as usize] = 3;
    talk.send(Client, ACK, b"");
    let update = told(&tell(&talk)).pop().unwrap();
    let ack = SeqNumber(talk.next[Server as usize]);
    assert_eq!(update, SocketEventKind::WindowUpdate { by: Client, window: Some(3 << 7), ack });
}

#[test]
fn a_capture_may_begin_in_the_middle() {
    let mut talk = stalled();
    // The two ends, without what opened the connection.
    talk.packets.drain(..3);
    talk.wait(SECOND);
    talk.window[Client as usize] = 3;
    talk.send(Client, ACK, b"");
    let events = tell(&talk);
    let [zero, update] = &told(&events)[..] else { panic!("{events:?}") };
    assert!(matches!(zero, SocketEventKind::ZeroWindow { by: Client, .. }));
    assert!(matches!(update, SocketEventKind::WindowUpdate { window: None, .. }), "its scale is not known");
    assert_eq!(source_events(&events), []);
}

#[test]
fn probes_are_counted_and_told_now_and_then() {
    let mut talk = stalled();
    talk.wait(SECOND);
    for _ in 0..50 {
        talk.probe(Server);
        talk.wait(5_000);
    }
    let events = tell(&talk);
    let probes =
        told(&events).iter().filter(|kind| matches!(kind, SocketEventKind::ZeroWindowProbe { .. })).count();
    assert_eq!(probes, 5, "every 50 ms");
    assert_eq!(samples(&events).pop().unwrap().1.server.probes, 50);
}

#[test]
fn a_port_that_is_used_again_is_another_connection() {
    let mut talk = stalled();
    talk.wait(SECOND);
    talk.next = [7000, 9000];
    talk.window = [500, 500];
    let mut talk = talk.opened();
    // The SYN once more: it is no third one.
    talk.segment(Client, 7000, SYN, b"");
    let events = tell(&talk);
    let syns: Vec<_> = told(&events)
        .into_iter()
        .filter_map(|kind| match kind {
            SocketEventKind::Syn { by: Client, seq, .. } => Some(seq.0),
            _ => None,
        })
        .collect();
    assert_eq!(syns, [u32::MAX - 20, 7000]);
    let sample = samples(&events).pop().unwrap().1;
    assert_eq!((sample.client.zero_windows, sample.server.sent), (0, 0), "it is counted anew");
}
