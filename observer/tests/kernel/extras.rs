//! What is there on demand.

use std::net::Ipv4Addr;

use observer::source::live::LiveOptions;
use observer_core::{End, SocketEventKind, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Observed, connect, listen, run};

#[test]
fn the_last_command_is_kept_on_demand() {
    run("the_last_command_is_kept_on_demand", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { keep_commands: true, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let (mut client, mut server) = connect(&listener).await;
        for command in [b"\x09\0\0\0\x03SELECT 1", b"\x09\0\0\0\x03SELECT 2"] {
            client.write_all(command).await.unwrap();
            server.read_exact(&mut [0; 13]).await.unwrap();
        }
        for seen_at in [Vantage::Client, Vantage::Server] {
            let cookie = told
                .until("the socket", |told| {
                    let mut here = told.sockets().filter(|event| event.socket.seen_at == seen_at);
                    here.find_map(|event| event.socket.cookie)
                })
                .await;
            let last = told.last_command(cookie).unwrap();
            assert_eq!(last.bytes, b"\x09\0\0\0\x03SELECT 2");
        }
    });
}

/// The verifier sees other programs when they log.
#[test]
fn programs_that_log_run_too() {
    run("programs_that_log_run_too", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { bpf_log: true, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let _connection = connect(&listener).await;
        told.until_told(Vantage::Client, "the SYN", |kind| {
            matches!(kind, SocketEventKind::Syn { by: End::Client, .. })
        })
        .await;
    });
}
