//! Connections that end with a reset.

use std::net::{Ipv4Addr, SocketAddr};

use observer_core::{Config, End, Phase, SocketEventKind, SourceEvent, Tracker, Vantage};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{GREETING, Observed, connect, listen, run};

#[test]
fn a_reset_is_told_once_at_each_end() {
    run("a_reset_is_told_once_at_each_end", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (client, mut server) = connect(&listener).await;
        server.write_all(GREETING).await.unwrap();
        // As mariadbd does when its write has timed out (vio_set_linger).
        server.set_zero_linger().unwrap();
        drop(server);
        is_reset_by_the_server(&mut told, client).await;
    });
}

#[test]
fn a_reset_in_answer_to_data_is_told_once_at_each_end() {
    run("a_reset_in_answer_to_data_is_told_once_at_each_end", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, mut server) = connect(&listener).await;
        server.write_all(GREETING).await.unwrap();
        // The server's socket goes on without its process, and has no use for data.
        server.shutdown().await.unwrap();
        drop(server);
        client.write_all(b"\x01\0\0\0\x0e").await.unwrap();
        is_reset_by_the_server(&mut told, client).await;
    });
}

async fn is_reset_by_the_server(told: &mut Observed, client: TcpStream) {
    for seen_at in [Vantage::Client, Vantage::Server] {
        told.until_told(seen_at, "the reset", |kind| *kind == SocketEventKind::Reset { by: End::Server })
            .await;
    }
    drop(client);
    for seen_at in [Vantage::Client, Vantage::Server] {
        told.until_told(seen_at, "the end", |kind| *kind == SocketEventKind::Destroyed).await;
        let resets = told.sockets().filter(|event| {
            event.socket.seen_at == seen_at && matches!(event.kind, SocketEventKind::Reset { .. })
        });
        assert_eq!(resets.count(), 1, "at the {seen_at:?}: {:#?}", told.events);
    }
}

#[test]
fn a_port_that_is_used_again_at_once_makes_another_connection() {
    run("a_port_that_is_used_again_at_once_makes_another_connection", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let mut from = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut last = None;
        for _ in 0..10 {
            // It ends with a reset, which leaves its port free.
            drop(last.take());
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(from).unwrap();
            let (client, accepted) = tokio::join!(socket.connect(told.server), listener.accept());
            let (client, mut server) = (client.unwrap(), accepted.unwrap().0);
            from = client.local_addr().unwrap();
            server.write_all(GREETING).await.unwrap();
            client.set_zero_linger().unwrap();
            last = Some((client, server));
        }
        let judged = |told: &Observed| {
            let mut tracker = Tracker::new(Config::default());
            for event in &told.events {
                tracker.handle_event(event);
            }
            let open = tracker.connections().filter(|known| known.phase() != Phase::Closed).count();
            (tracker.connections_seen(), open)
        };
        told.until("ten connections, one of them open", |told| (judged(told) == (10, 1)).then_some(())).await;
        drop(last);
        told.until("the end of all", |told| (judged(told) == (10, 0)).then_some(())).await;
        let is_loss = |event: &SourceEvent| matches!(event, SourceEvent::EventsLost { .. });
        assert!(!told.source_events().any(is_loss), "{:#?}", told.events);
    });
}
