//! What is counted of a connection and not told as it happens.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::libc;
use observer_core::{DirectionSample, Timestamp, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Observed, connect, fill, listen, run};

const STEP: u64 = 512 * 1024;

#[test]
fn milestones_are_told_while_the_window_is_closed() {
    run("milestones_are_told_while_the_window_is_closed", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, server) = asked(&listener).await;
        // Enough for ten milestones, of which the oldest are forgotten; what is not read closes the window.
        let mut read = 0;
        let mut block = vec![0; 64 * 1024];
        while read < 10 * STEP {
            fill(&server).await;
            read += client.read(&mut block).await.unwrap() as u64;
        }
        fill(&server).await;
        for seen_at in [Vantage::Client, Vantage::Server] {
            let milestones = told
                .until("milestones", |told| {
                    let mut sample = told.last_sample(seen_at)?.client.clone();
                    // A busy host makes a pause, and that is told too.
                    sample.milestones.retain(|milestone| milestone.acknowledged.is_multiple_of(STEP));
                    let last = sample.last_ack_advance?;
                    (sample.milestones.len() == 8).then_some((sample, last))
                })
                .await;
            let (DirectionSample { milestones, acknowledged, answered, .. }, last) = milestones;
            let counts: Vec<_> = milestones.iter().map(|milestone| milestone.acknowledged).collect();
            let newest = acknowledged / STEP;
            let expected: Vec<_> = (newest - 7..=newest).map(|number| number * STEP).collect();
            assert_eq!(counts, expected);
            let times: Vec<Timestamp> = milestones.iter().map(|milestone| milestone.at).collect();
            assert!(times.is_sorted(), "{times:?}");
            let answered = answered.expect("it was followed from the beginning");
            assert_eq!(answered.acknowledged, 6);
            assert!(answered.at <= times[0] + Duration::from_millis(20), "{answered:?}");
            let margin = Duration::from_millis(20);
            assert!(times[7] <= last + margin && times[0] + Duration::from_secs(20) > last, "{times:?}");
        }
    });
}

#[test]
fn how_far_it_had_come_before_a_pause_is_told() {
    run("how_far_it_had_come_before_a_pause_is_told", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (_client, server) = asked(&listener).await;
        // This is the pause.
        tokio::time::sleep(Duration::from_millis(300)).await;
        fill(&server).await;
        for seen_at in [Vantage::Client, Vantage::Server] {
            let (before, since) = told
                .until("the pause", |told| {
                    let sample = &told.last_sample(seen_at)?.client;
                    let before = sample.milestones.first().filter(|point| point.acknowledged == 6)?;
                    Some((before.at, sample.last_ack_advance?.since(before.at)))
                })
                .await;
            assert!(since >= Duration::from_millis(280), "{before:?}, {since:?}");
        }
    });
}

#[test]
fn what_is_sent_again_is_counted() {
    run("what_is_sent_again_is_counted", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, mut server) = connect(&listener).await;
        refuse_everything(&client, true);
        server.write_all(b"sent until it is taken").await.unwrap();
        for seen_at in [Vantage::Client, Vantage::Server] {
            let sample = told
                .until("a retransmission", |told| {
                    told.last_sample(seen_at).filter(|sample| sample.server.retransmissions > 0).cloned()
                })
                .await;
            assert_eq!(sample.server.sent, 22, "each byte counts once");
            assert_eq!(sample.client.retransmissions, 0);
        }
        refuse_everything(&client, false);
        client.read_exact(&mut [0; 22]).await.unwrap();
    });
}

/// A connection whose client has read six bytes and asks for more.
async fn asked(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = connect(listener).await;
    server.write_all(b"before").await.unwrap();
    client.read_exact(&mut [0; 6]).await.unwrap();
    client.write_all(b"a question").await.unwrap();
    server.read_exact(&mut [0; 10]).await.unwrap();
    (client, server)
}

/// Has the kernel drop every segment for this socket, behind the programs on its cgroup.
fn refuse_everything(socket: &TcpStream, refuse: bool) {
    let mut nothing = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    let option = if refuse { libc::SO_ATTACH_FILTER } else { libc::SO_DETACH_FILTER };
    // SAFETY: the kernel copies the program, which is there for the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const program).cast(),
            size_of_val(&program).try_into().unwrap(),
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
