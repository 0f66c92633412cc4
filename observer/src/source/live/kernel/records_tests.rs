//! Records as the programs write them, and as they never should.

use bytemuck::Zeroable as _;
use observer_common::TEXT_BYTES;

use super::*;

fn decoder() -> Decoder {
    Decoder::new(vec![3306], ObservationClock::new().unwrap())
}

fn mapped(last: u8) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last]
}

fn header(kind: RecordKind, direction: Direction) -> Header {
    let ends =
        Ends { local: mapped(5), remote: mapped(9), local_port: 41_234, remote_port: 3306, reserved: 0 };
    Header { at: 1, cookie: 7, ends, kind: kind as u32, direction: direction as u32 }
}

fn a_segment(direction: Direction, transitions: u32) -> SegmentRecord {
    SegmentRecord {
        header: header(RecordKind::Segment, direction),
        transitions,
        seq: u32::MAX,
        ack: 500,
        payload: 3,
        window: 10,
        scale: 7,
        peer_scale: 9,
        tail: observer_common::Tail::zeroed(),
        reserved: 0,
    }
}

fn text(kind: RecordKind, direction: Direction, content: &[u8]) -> TextRecord {
    let mut bytes = [b'x'; TEXT_BYTES];
    bytes[..content.len()].copy_from_slice(content);
    let length = u32::try_from(content.len()).unwrap();
    TextRecord { header: header(kind, direction), length, reserved: 0, bytes }
}

fn kinds(record: &impl bytemuck::NoUninit) -> Result<Vec<SocketEventKind>, Malformed> {
    let mut events = Vec::new();
    decoder().decode(bytemuck::bytes_of(record), &mut events)?;
    Ok(events
        .into_iter()
        .map(|event| match event.kind {
            EventKind::Socket(event) => event.kind,
            EventKind::Source(event) => panic!("{event:?}"),
        })
        .collect())
}

#[test]
fn a_segment_may_say_several_things() {
    let record = a_segment(Direction::Ingress, transition::FIN | transition::ZERO_WINDOW);
    let ack = SeqNumber(500);
    assert_eq!(
        kinds(&record).unwrap(),
        [
            SocketEventKind::ZeroWindow { by: End::Server, ack },
            SocketEventKind::Fin { by: End::Server, seq: SeqNumber(2), in_result: None },
        ]
    );
}

#[test]
fn a_window_is_scaled_where_both_ends_have_said_how() {
    let mut record = a_segment(Direction::Egress, transition::WINDOW_UPDATE);
    let update =
        |window| vec![SocketEventKind::WindowUpdate { by: End::Client, window, ack: SeqNumber(500) }];
    assert_eq!(kinds(&record).unwrap(), update(Some(1280)));
    record.peer_scale = scale::ABSENT;
    assert_eq!(kinds(&record).unwrap(), update(Some(10)));
    record.peer_scale = scale::UNKNOWN;
    assert_eq!(kinds(&record).unwrap(), update(None));
    (record.scale, record.peer_scale) = (40, 1); // no program says this, but no panic
    assert_eq!(kinds(&record).unwrap(), update(None));
}

#[test]
fn the_socket_is_told_with_its_end_and_cookie() {
    let mut events = Vec::new();
    let told = decoder()
        .decode(bytemuck::bytes_of(&a_segment(Direction::Egress, transition::ZERO_WINDOW)), &mut events);
    assert_eq!(told, Ok(Told::Trouble(7)));
    let EventKind::Socket(event) = &events[0].kind else { panic!("{events:?}") };
    assert_eq!(event.socket.seen_at, observer_core::Vantage::Client);
    assert_eq!(event.socket.cookie, Some(7));
    assert_eq!(event.socket.flow.client, "10.0.0.5:41234".parse().unwrap());
}

#[test]
fn a_greeting_gives_version_and_thread() {
    let content = b"\x4b\0\0\0\x0a9.7.4-2\0\x24\0\0\0salt";
    let greeting = SocketEventKind::Greeting { version: "9.7.4-2".into(), thread_id: 36, capabilities: None };
    assert_eq!(kinds(&text(RecordKind::Greeting, Direction::Ingress, content)), Ok(vec![greeting]));
}

#[test]
fn what_a_peer_got_wrong_is_no_event_and_no_loss() {
    let cut: [&[u8]; 6] = [
        b"",
        b"\x4b\0\0",
        b"\x4b\0\0\0",
        b"\x4b\0\0\0\x0aversion without an end",
        b"\x4b\0\0\0\x0a9.7.4\0\x24\0\0",
        b"\x06\0\0\0\x0a9.7.4\0\x24\0\0\0", // longer than its packet
    ];
    for content in cut {
        let greeting = text(RecordKind::Greeting, Direction::Ingress, content);
        assert_eq!(kinds(&greeting), Ok(vec![]), "{content:?}");
    }
    // An empty packet, and what follows it.
    let command = text(RecordKind::Command, Direction::Egress, b"\0\0\0\0\x03SET wait_timeout=5");
    assert_eq!(kinds(&command), Ok(vec![]));
}

#[test]
fn a_text_longer_than_its_record_is_an_error() {
    let mut record = text(RecordKind::Greeting, Direction::Ingress, b"");
    record.length = u32::MAX;
    assert_eq!(kinds(&record), Err(Malformed));
}

#[test]
fn a_command_is_told_without_its_header_and_without_what_follows_it() {
    let content = b"\x13\0\0\0\x03SET wait_timeout=5\x01\0\0\0\x0e";
    let command = SocketEventKind::Command { length: 19, text: "\u{3}SET wait_timeout=5".into() };
    assert_eq!(kinds(&text(RecordKind::Command, Direction::Egress, content)), Ok(vec![command]));
    assert_eq!(kinds(&text(RecordKind::Command, Direction::Ingress, content)), Ok(vec![]));
}

#[test]
fn a_password_is_not_told() {
    let content = b"\x23\0\0\0\x03SET PASSWORD FOR 'app' = 'hunter2!'";
    assert_eq!(kinds(&text(RecordKind::Command, Direction::Egress, content)), Ok(vec![]));
}

#[test]
fn a_state_has_a_process_or_none() {
    let mut record = StateRecord {
        header: header(RecordKind::State, Direction::Egress),
        from: 1,
        to: 4,
        tgid: 0,
        tid: 0,
        comm: *b"mysqld\0garbage!!",
    };
    let (from, to) = (TcpState::Established, TcpState::FinWait1);
    assert_eq!(kinds(&record), Ok(vec![SocketEventKind::State { from, to, process: None }]));
    (record.tgid, record.tid) = (10, 11);
    let process = Some(Process { pid: 10, tid: Some(11), comm: "mysqld".into() });
    assert_eq!(kinds(&record), Ok(vec![SocketEventKind::State { from, to, process }]));
    record.to = 4096 + 4;
    assert_eq!(kinds(&record), Err(Malformed));
}

#[test]
fn bytes_that_are_no_record_are_errors() {
    let good = bytemuck::bytes_of(&a_segment(Direction::Egress, transition::FIN)).to_vec();
    let mut events = Vec::new();
    for length in 0..good.len() {
        assert_eq!(decoder().decode(&good[..length], &mut events), Err(Malformed), "{length} bytes");
    }
    let long = [good.as_slice(), &[0]].concat();
    assert_eq!(decoder().decode(&long, &mut events), Err(Malformed));
    assert_eq!(kinds(&a_segment(Direction::Egress, 0)), Err(Malformed));
    assert_eq!(kinds(&a_segment(Direction::Egress, 1 << 31)), Err(Malformed));
    assert_eq!(kinds(&SegmentRecord::zeroed()), Err(Malformed));
    let mut stranger = a_segment(Direction::Egress, transition::FIN);
    stranger.header.ends.remote_port = 3307;
    assert_eq!(kinds(&stranger), Err(Malformed));
    assert!(events.is_empty());
}
