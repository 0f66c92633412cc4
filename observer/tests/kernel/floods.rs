//! One connection that says much more than it should: it is limited, what is not told is counted, and the others are told
//! as ever.

use std::net::Ipv4Addr;

use observer::source::live::LiveOptions;
use observer_core::{LossPoint, SocketEventKind, SourceEvent, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{GREETING, Observed, connect, listen, run};
use crate::session::{PLAIN, Session, packet};

/// More than the smallest ring buffers take.
const FLOOD: usize = 3000;

/// What a span of an eighth of a second lets one direction tell, with room for spans that began before.
fn limit(began: std::time::Instant) -> usize {
    32 * usize::try_from(began.elapsed().as_millis() / 134 + 2).unwrap()
}

fn of_client(told: &Observed, client: &TcpStream, fits: impl Fn(&SocketEventKind) -> bool) -> usize {
    let flow = client.local_addr().or(client.peer_addr()).unwrap();
    let events = told.sockets().filter(|event| event.socket.flow.client == flow);
    events.filter(|event| event.socket.seen_at == Vantage::Server && fits(&event.kind)).count()
}

/// How many were not told in all, by the events of the loss.
fn limited(told: &Observed) -> u64 {
    let count = |event: &SourceEvent| match event {
        SourceEvent::EventsLost { count, lost_by } => {
            assert_eq!(*lost_by, LossPoint::Limit, "the ring buffer was full: {event:?}");
            *count
        }
        _ => 0,
    };
    told.source_events().map(count).sum()
}

#[test]
fn a_flood_of_commands_is_limited_and_counted() {
    run("a_flood_of_commands_is_limited_and_counted", async {
        let began = std::time::Instant::now();
        let mut session = Session::begin_with(LiveOptions::default(), PLAIN, b"app\0").await;
        let set = packet(0, b"\x03SET SESSION net_write_timeout = 9");
        for _ in 0..FLOOD {
            session.client_says(&set).await;
        }
        let Session { mut told, client, server } = session;
        let untold = told
            .until("what was not told", |told| {
                let untold = told.last_sample(Vantage::Server)?.untold_by_client;
                // Each end counts by itself; all of it was sent before the last sample.
                let commands =
                    of_client(told, &client, |kind| matches!(kind, SocketEventKind::Command { .. }));
                // First, as it fails at once where the ring buffer was full.
                let limited = limited(told);
                (commands + untold as usize == FLOOD && limited + 64 >= 2 * u64::from(untold))
                    .then_some(untold)
            })
            .await;
        let commands = FLOOD - untold as usize;
        assert!((1..=limit(began)).contains(&commands), "{commands} were told");

        // It is told again after a while.
        let is_set = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Command { text, .. } if text.ends_with("= 7"));
        told.until("a command that is told again", |told| {
            client.try_write(&packet(0, b"\x03SET SESSION net_write_timeout = 7")).unwrap();
            (of_client(told, &client, is_set) > 0).then_some(())
        })
        .await;
        assert!(server.try_read(&mut vec![0; 65_536]).unwrap() > 0);
    });
}

#[test]
fn a_flood_of_errors_and_answers_is_limited_and_others_are_told() {
    run("a_flood_of_errors_and_answers_is_limited_and_others_are_told", async {
        let began = std::time::Instant::now();
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, mut server) = connect(&listener).await;
        server.write_all(GREETING).await.unwrap();
        client.read_exact(&mut [0; GREETING.len()]).await.unwrap();
        server.set_nodelay(true).unwrap();
        let error = packet(0, b"\xff\x86\x07#08S01it is closing");
        for _ in 0..FLOOD {
            server.write_all(&error).await.unwrap();
            client.read_exact(&mut vec![0; error.len()]).await.unwrap();
        }
        // Meanwhile the ring buffer has room for the others.
        let (mut other, mut greeter) = connect(&listener).await;
        greeter.write_all(GREETING).await.unwrap();
        other.read_exact(&mut [0; GREETING.len()]).await.unwrap();
        let greeting = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Greeting { .. });
        told.until("the other's greeting", |told| (of_client(told, &other, greeting) > 0).then_some(()))
            .await;
        let errors = |told: &Observed| {
            of_client(told, &client, |kind| matches!(kind, SocketEventKind::ServerError { .. }))
        };
        let untold = told
            .until("what was not told", |told| {
                let flow = client.local_addr().unwrap();
                let samples = told.sockets().filter(|event| event.socket.flow.client == flow);
                let untold =
                    samples.filter(|event| event.socket.seen_at == Vantage::Server).filter_map(|event| {
                        if let SocketEventKind::Wire(sample) = &event.kind {
                            Some(sample.untold_by_server)
                        } else {
                            None
                        }
                    });
                let untold = untold.last()? as usize;
                (errors(told) + untold == FLOOD && limited(told) > 0).then_some(untold)
            })
            .await;
        assert!((1..=limit(began)).contains(&(FLOOD - untold)), "{} were told", FLOOD - untold);
    });
}

/// What is said at random, in packets that begin as they should: nothing of it is a record that cannot be understood, and a
/// session that makes sense is told beside it.
#[test]
fn garbage_is_passed_over() {
    run("garbage_is_passed_over", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut garbage = |sequence: u8, first: u8| {
            let mut bytes = vec![first];
            for _ in 0..random % 600 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                bytes.push(random.to_le_bytes()[3]);
            }
            random ^= random << 5;
            // A length that is right, and some that are not.
            let length = if random.is_multiple_of(2) { bytes.len() as u64 } else { random >> 40 };
            [&length.to_le_bytes()[..3], &[sequence], &bytes].concat()
        };
        for _ in 0..100 {
            let (mut client, mut server) = connect(&listener).await;
            let said = [
                (true, 0, 10),
                (false, 1, 0xff),
                (false, 0, 3),
                (true, 1, 0xff),
                (false, 0, 0x16),
                (true, 1, 0),
            ];
            for (by_server, sequence, first) in said {
                let bytes = garbage(sequence, first);
                let (from, to) =
                    if by_server { (&mut server, &mut client) } else { (&mut client, &mut server) };
                from.write_all(&bytes).await.unwrap();
                to.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
            }
        }
        let (mut client, mut server) = connect(&listener).await;
        server.write_all(GREETING).await.unwrap();
        client.read_exact(&mut [0; GREETING.len()]).await.unwrap();
        let greeting =
            |kind: &SocketEventKind| matches!(kind, SocketEventKind::Greeting { thread_id: 36, .. });
        told.until("the greeting", |told| (of_client(told, &client, greeting) > 0).then_some(())).await;
        assert_eq!(told.lost(), 0);
    });
}
