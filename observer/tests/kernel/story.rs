//! A client that stops reading and reads again, seen from both ends at once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use observer_core::{End, SocketEventKind, SourceEvent, TcpState, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{GREETING, Observed, connect, fill, listen, run};

const SET: &[u8] = b"\x03SET SESSION net_write_timeout=5";
const COMMENTED_SELECT: &[u8] = b"\x03/* the app */ SELECT 1 + 1";
/// With CLIENT_QUERY_ATTRIBUTES there are two counts before the text.
const COMMENTED_SET: &[u8] = b"\x03\0\x01/* the app */ set net_write_timeout = 60";

/// A MySQL packet of these.
fn packet(payload: &[u8]) -> Vec<u8> {
    [&[u8::try_from(payload.len()).unwrap(), 0, 0, 0], payload].concat()
}

#[test]
fn a_stall_over_ipv4() {
    run("a_stall_over_ipv4", stall(Ipv4Addr::LOCALHOST.into()));
}

#[test]
fn a_stall_over_ipv6() {
    run("a_stall_over_ipv6", stall(Ipv6Addr::LOCALHOST.into()));
}

async fn stall(ip: IpAddr) {
    let listener = listen(ip).await;
    let mut told = Observed::start(&listener).await;
    let (mut client, mut server) = connect(&listener).await;
    server.write_all(GREETING).await.unwrap();
    let mut greeting = [0; GREETING.len()];
    client.read_exact(&mut greeting).await.unwrap();
    for command in [SET, COMMENTED_SELECT, COMMENTED_SET] {
        client.write_all(&packet(command)).await.unwrap();
        let mut read = vec![0; 4 + command.len()];
        server.read_exact(&mut read).await.unwrap();
    }
    let rows = fill(&server).await;

    let mut stamps = [const { Vec::new() }; 2];
    for (seen_at, stamps) in [Vantage::Client, Vantage::Server].into_iter().zip(&mut stamps) {
        stamps.push(
            told.until_told(seen_at, "the SYN", |kind| {
                matches!(kind, SocketEventKind::Syn { by: End::Client, window_scale: Some(_), .. })
            })
            .await,
        );
        stamps.push(
            told.until_told(seen_at, "the SYN-ACK", |kind| {
                matches!(kind, SocketEventKind::Syn { by: End::Server, window_scale: Some(_), .. })
            })
            .await,
        );
        stamps.push(told.until_told(seen_at, "the greeting", |kind| {
            matches!(kind, SocketEventKind::Greeting { version, thread_id: 36, .. } if version == "9.7.4-2")
        }).await);
        stamps.push(told.until_told(seen_at, "SET", |kind| {
            matches!(kind, SocketEventKind::Command { length: 32, text } if text == "\u{3}SET SESSION net_write_timeout=5")
        }).await);
        stamps.push(told.until_told(seen_at, "SET behind a comment", |kind| {
            matches!(kind, SocketEventKind::Command { text, .. } if text.ends_with("set net_write_timeout = 60"))
        }).await);
        stamps.push(
            told.until_told(seen_at, "the zero window", |kind| {
                matches!(kind, SocketEventKind::ZeroWindow { by: End::Client, .. })
            })
            .await,
        );
        stamps.push(
            told.until_told(seen_at, "a probe", |kind| {
                matches!(kind, SocketEventKind::ZeroWindowProbe { by: End::Server })
            })
            .await,
        );
        stamps.push(
            told.until_told(seen_at, "its answer", |kind| {
                matches!(kind, SocketEventKind::ZeroWindowProbeAck { by: End::Client })
            })
            .await,
        );
    }

    let read = reads_are_followed(&mut told, &mut client).await;
    server.shutdown().await.unwrap();
    let mut unread = Vec::new();
    client.read_to_end(&mut unread).await.unwrap();
    assert_eq!(read + unread.len() as u64, rows);
    drop(client);
    for (seen_at, stamps) in [Vantage::Client, Vantage::Server].into_iter().zip(&mut stamps) {
        stamps.push(
            told.until_told(seen_at, "the window update", |kind| {
                matches!(kind, SocketEventKind::WindowUpdate { by: End::Client, window: Some(1..), .. })
            })
            .await,
        );
        stamps.push(
            told.until_told(seen_at, "the server's FIN", |kind| {
                matches!(kind, SocketEventKind::Fin { by: End::Server, .. })
            })
            .await,
        );
        stamps.push(
            told.until_told(seen_at, "the client's FIN", |kind| {
                matches!(kind, SocketEventKind::Fin { by: End::Client, .. })
            })
            .await,
        );
        assert!(stamps.is_sorted(), "told in another order than it happened: {stamps:#?}");
    }
    drop(server);
    let mut destroyed = Vec::new();
    for seen_at in [Vantage::Client, Vantage::Server] {
        destroyed.push(told.until_told(seen_at, "the end", |kind| *kind == SocketEventKind::Destroyed).await);
    }
    states_have_their_process(&told);
    samples_are_exact(&mut told, rows).await;
    nothing_else_was_told(&told);
}

/// Reads byte by byte until it is told who reads: that is followed from soon after the window has closed. Returns how
/// many bytes were read.
async fn reads_are_followed(told: &mut Observed, client: &mut TcpStream) -> u64 {
    let mut read = 0;
    let mut again = tokio::time::interval(Duration::from_millis(10));
    let reader = told.until("who reads", |told| {
        told.last_sample(Vantage::Client)?.last_read.as_ref().map(|read| read.process.pid)
    });
    let mut reader = std::pin::pin!(reader);
    loop {
        tokio::select! {
            pid = &mut reader => {
                assert_eq!(pid, std::process::id());
                return read;
            }
            _ = again.tick() => {
                client.read_exact(&mut [0]).await.unwrap();
                read += 1;
            }
        }
    }
}

fn states_have_their_process(told: &Observed) {
    let process_of = |seen_at, change| {
        told.sockets().find_map(|event| match &event.kind {
            SocketEventKind::State { from, to, process }
                if event.socket.seen_at == seen_at && (*from, *to) == change =>
            {
                process.as_ref().map(|process| process.pid)
            }
            _ => None,
        })
    };
    let this = Some(std::process::id());
    assert_eq!(process_of(Vantage::Client, (TcpState::SynSent, TcpState::Established)), this);
    assert_eq!(process_of(Vantage::Server, (TcpState::Established, TcpState::FinWait1)), this);
    assert_eq!(process_of(Vantage::Client, (TcpState::CloseWait, TcpState::LastAck)), this);
    assert_eq!(process_of(Vantage::Client, (TcpState::Established, TcpState::CloseWait)), None);
}

async fn samples_are_exact(told: &mut Observed, rows: u64) {
    let commands = (12 + SET.len() + COMMENTED_SELECT.len() + COMMENTED_SET.len()) as u64;
    let answers = GREETING.len() as u64 + rows;
    for seen_at in [Vantage::Client, Vantage::Server] {
        // That the socket is gone may have been found by diagnostics before the programs' last words are read.
        let last = |told: &Observed| {
            let sample = told.last_sample(seen_at)?;
            let counts = [sample.client.sent, sample.server.acknowledged, sample.server.sent];
            let is_exact = counts == [commands, commands, answers] && sample.client.acknowledged == answers;
            is_exact.then(|| sample.clone())
        };
        let sample = told.until("the exact counts", last).await;
        assert!(sample.client.zero_windows >= 1 && sample.client.probe_acks >= 1, "{sample:?}");
        assert!(sample.server.zero_windows == 0 && sample.server.probes >= 1, "{sample:?}");
    }
}

fn nothing_else_was_told(told: &Observed) {
    let mut about_the_source = told.source_events();
    assert_eq!(about_the_source.find(|event| !matches!(event, SourceEvent::SocketsPolled { .. })), None);
    let server = told.sockets().find(|event| event.socket.flow.server != told.server);
    assert_eq!(server, None);
    for seen_at in [Vantage::Client, Vantage::Server] {
        let count = |fits: fn(&SocketEventKind) -> bool| {
            told.sockets().filter(|event| event.socket.seen_at == seen_at && fits(&event.kind)).count()
        };
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Syn { .. })), 2);
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Greeting { .. })), 1);
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Command { .. })), 2, "a SELECT is not told");
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Fin { .. })), 2);
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Reset { .. })), 0);
        assert_eq!(count(|kind| matches!(kind, SocketEventKind::Destroyed)), 1);
        let cookies: std::collections::HashSet<_> = told
            .sockets()
            .filter(|event| event.socket.seen_at == seen_at)
            .filter_map(|event| event.socket.cookie)
            .collect();
        assert_eq!(cookies.len(), 1, "one socket at each end");
    }
}
