//! What is not observed, and what was there before.

use std::net::Ipv4Addr;

use observer_core::{SocketEventKind, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{GREETING, Observed, connect, listen, run};

#[test]
fn other_ports_are_not_told() {
    run("other_ports_are_not_told", async {
        let (observed, other) =
            (listen(Ipv4Addr::LOCALHOST.into()).await, listen(Ipv4Addr::LOCALHOST.into()).await);
        let mut told = Observed::start(&observed).await;
        for listener in [&other, &observed] {
            let (mut client, mut server) = connect(listener).await;
            server.write_all(GREETING).await.unwrap();
            let mut greeting = [0; GREETING.len()];
            client.read_exact(&mut greeting).await.unwrap();
        }
        told.until_told(Vantage::Client, "the end", |kind| *kind == SocketEventKind::Destroyed).await;
        assert!(told.sockets().all(|event| event.socket.flow.server == told.server), "{:#?}", told.events);
    });
}

#[test]
fn a_connection_from_before_is_sampled() {
    run("a_connection_from_before_is_sampled", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let (mut client, mut server) = connect(&listener).await;
        let mut told = Observed::start(&listener).await;
        // The same bytes as a greeting, but nobody has seen the beginning.
        server.write_all(GREETING).await.unwrap();
        let mut greeting = [0; GREETING.len()];
        client.read_exact(&mut greeting).await.unwrap();
        told.until("a sample", |told| told.last_sample(Vantage::Client).map(|_| ())).await;
        let sample = told.last_sample(Vantage::Client).unwrap();
        assert_eq!(sample.server.sent, GREETING.len() as u64);
        assert_eq!(sample.server.window, None, "the scale is not known");
        let opened = told.sockets().find(|event| {
            matches!(event.kind, SocketEventKind::Syn { .. } | SocketEventKind::Greeting { .. })
        });
        assert_eq!(opened, None);
    });
}
