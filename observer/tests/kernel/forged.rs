//! Segments that no kernel would send, made by hand.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

use observer::source::live::LiveOptions;
use observer_core::{End, SeqNumber, SocketEventKind, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{GREETING, Observed, connect, fill, listen, run};
use crate::raw::{self, Segment, flag};

/// A connection over loopback, and what a stranger has to know to forge segments of its client.
struct Connection {
    listener: TcpListener,
    told: Observed,
    client: TcpStream,
    server: TcpStream,
    forged: Segment,
}

impl Connection {
    async fn begin() -> Self {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, mut server) = connect(&listener).await;
        server.write_all(GREETING).await.unwrap();
        client.read_exact(&mut [0; GREETING.len()]).await.unwrap();
        client.write_all(b"seen").await.unwrap();
        let seen = |told: &Observed| {
            let sample = told.last_sample(Vantage::Server).filter(|sample| sample.client.sent == 4)?;
            Some((sample.client.next_seq, sample.client.ack))
        };
        let (seq, ack) = told.until("what the client has sent", seen).await;
        let (from, to) = (v4(client.local_addr().unwrap()), v4(server.local_addr().unwrap()));
        let forged = Segment { from, to, seq: seq.0, ack: ack.0, flags: flag::ACK, window: 512, scale: None };
        Self { listener, told, client, server, forged }
    }

    /// Waits until all that was sent before has been told.
    async fn settle(&mut self) {
        let (client, server) = connect(&self.listener).await;
        let flow = client.local_addr().unwrap();
        drop((client, server));
        self.told
            .until("the end of another connection", |told| {
                let ends = |kind: &SocketEventKind| *kind == SocketEventKind::Destroyed;
                told.sockets()
                    .any(|event| event.socket.flow.client == flow && ends(&event.kind))
                    .then_some(())
            })
            .await;
    }

    /// What was told of its client.
    fn of_client(&self) -> Vec<&SocketEventKind> {
        let flow = SocketAddr::from(self.forged.from);
        let events = self.told.sockets().filter(|event| event.socket.flow.client == flow);
        events.map(|event| &event.kind).collect()
    }

    /// What ends it, or closes a window.
    fn turns(&self) -> Vec<&SocketEventKind> {
        use SocketEventKind::{Fin, Reset, Syn, ZeroWindow};
        let mut kinds = self.of_client();
        kinds.retain(|kind| matches!(kind, Fin { .. } | Reset { .. } | Syn { .. } | ZeroWindow { .. }));
        kinds
    }
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
    address
}

/// The kernel takes none of these; what it takes for sure comes after them, and is told as ever.
#[test]
fn what_the_kernel_does_not_take_says_nothing() {
    run("what_the_kernel_does_not_take_says_nothing", async {
        let mut one = Connection::begin().await;
        let opening = one.turns().len();
        let forged = one.forged;
        for ahead in [1 << 24, 1 << 30] {
            // Beyond the window, and before it; an acknowledgement of what was never sent; none at all; a second
            // beginning.
            for seq in [forged.seq.wrapping_add(ahead), forged.seq.wrapping_sub(ahead)] {
                for flags in [flag::FIN | flag::ACK, flag::RST, flag::RST | flag::ACK, flag::SYN] {
                    raw::send(&Segment { seq, flags, ..forged });
                }
            }
            let ack = forged.ack.wrapping_add(ahead);
            for flags in [flag::ACK, flag::FIN | flag::ACK] {
                raw::send(&Segment { ack, flags, window: 0, ..forged });
            }
        }
        for flags in [0, flag::FIN] {
            raw::send(&Segment { flags, window: 0, ..forged });
        }
        // Within the window, but not the next byte (RFC 5961, 3.2).
        raw::send(&Segment { seq: forged.seq.wrapping_add(1), flags: flag::RST, ..forged });
        one.settle().await;
        assert_eq!(one.turns().len(), opening, "{:#?}", one.of_client());

        // The connection lives, and so does what is known of it.
        one.client.write_all(b"more").await.unwrap();
        one.server.read_exact(&mut [0; 8]).await.unwrap();
        fill(&one.server).await;
        for seen_at in [Vantage::Client, Vantage::Server] {
            let closes =
                |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { by: End::Client, .. });
            one.told.until_told(seen_at, "the closed window", closes).await;
        }
        let all_sent = |told: &Observed| {
            told.last_sample(Vantage::Server)
                .filter(|sample| sample.client.sent == 8)
                .map(|sample| sample.client.next_seq)
        };
        let next = one.told.until("all that the client has sent", all_sent).await;
        assert_eq!(next, SeqNumber(forged.seq.wrapping_add(4)));
    });
}

/// It lies within the window, but what it acknowledges was not sent yet: that the window is said to be open then does not
/// hide that it closes.
#[test]
fn an_acknowledgement_ahead_of_time_hides_no_closed_window() {
    run("an_acknowledgement_ahead_of_time_hides_no_closed_window", async {
        let mut one = Connection::begin().await;
        raw::send(&Segment { ack: one.forged.ack.wrapping_add(8_000), ..one.forged });
        raw::send(&Segment { window: 0, ..one.forged });
        let closes =
            |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { by: End::Client, .. });
        one.told.until_told(Vantage::Server, "the closed window", closes).await;
        let acknowledged = |told: &Observed| {
            let client = &told.last_sample(Vantage::Server)?.client;
            (client.zero_windows == 1).then_some(client.acknowledged)
        };
        let acknowledged = one.told.until("what was acknowledged", acknowledged).await;
        assert_eq!(acknowledged, GREETING.len() as u64);
    });
}

#[test]
fn a_window_that_flaps_is_counted_and_not_told_each_time() {
    run("a_window_that_flaps_is_counted_and_not_told_each_time", async {
        let mut one = Connection::begin().await;
        let began = Instant::now();
        for _ in 0..500 {
            raw::send(&Segment { window: 0, ..one.forged });
            raw::send(&one.forged);
        }
        let spans = began.elapsed().as_millis() / 134 + 2;
        let closings = |told: &Observed| {
            let closings = told.last_sample(Vantage::Server)?.client.zero_windows;
            (closings >= 500).then_some(closings)
        };
        assert_eq!(one.told.until("the last closing", closings).await, 500);
        let changes = one.of_client().into_iter().filter(|kind| {
            matches!(kind, SocketEventKind::ZeroWindow { .. } | SocketEventKind::WindowUpdate { .. })
        });
        let changes = changes.count() as u128;
        assert!((1..=32 * spans).contains(&changes), "{changes} changes were told in {spans} spans");
    });
}

/// A flood of SYNs from addresses that nobody has makes no record, and hides no connection, even where the map of
/// handshakes has room for a part of them only.
#[test]
fn a_flood_of_syns_makes_no_record_and_hides_nobody() {
    run("a_flood_of_syns_makes_no_record_and_hides_nobody", async {
        const SYNS: u16 = 20_000;
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { max_connections: 1000, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let to = v4(told.server);
        let flood = tokio::task::spawn_blocking(move || {
            for number in 0..SYNS {
                let [high, low] = number.to_be_bytes();
                let from = SocketAddrV4::new(Ipv4Addr::new(127, 9, high, low), 1024 + number);
                let seq = u32::from(number) << 16;
                raw::send(&Segment {
                    from,
                    to,
                    seq,
                    ack: 0,
                    flags: flag::SYN,
                    window: 1024,
                    scale: Some(255),
                });
            }
        });
        let greeted = |told: &Observed, address: SocketAddr| {
            told.sockets().any(|event| {
                event.socket.flow.client == address
                    && event.socket.seen_at == Vantage::Client
                    && matches!(event.kind, SocketEventKind::Greeting { thread_id: 36, .. })
            })
        };
        let mut others = Vec::new();
        for _ in 0..20 {
            let (mut client, mut server) = connect(&listener).await;
            server.write_all(GREETING).await.unwrap();
            client.read_exact(&mut [0; GREETING.len()]).await.unwrap();
            let address = client.local_addr().unwrap();
            told.until("the greeting", |told| greeted(told, address).then_some(())).await;
            others.push((address, client, server));
        }
        flood.await.unwrap();
        let known: Vec<_> = others.iter().map(|(address, ..)| *address).collect();
        let stranger = told.sockets().find(|event| !known.contains(&event.socket.flow.client));
        assert!(stranger.is_none(), "{stranger:#?}");
        assert_eq!(told.lost(), 0);
    });
}
