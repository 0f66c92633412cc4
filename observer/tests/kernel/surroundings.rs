//! What is not observed, what was there before, and what stays behind.

use std::collections::HashSet;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use aya::programs::loaded_programs;
use observer::source::live::{LiveOptions, ObservationClock, start};
use observer_core::{SocketEventKind, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{GREETING, Observed, can_run, connect, listen, run};

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

/// Not a test of its own: the process that the test below kills.
#[test]
#[ignore = "a part of a_killed_observer_leaves_nothing_in_the_kernel"]
fn observer_to_be_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _source = start(&LiveOptions::default(), ObservationClock::new().unwrap()).await.unwrap();
        println!("observing");
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_killed_observer_leaves_nothing_in_the_kernel() {
    if !can_run("a_killed_observer_leaves_nothing_in_the_kernel") {
        return;
    }
    let mut observer = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "surroundings::observer_to_be_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = observer.stdout.take().unwrap();
    while !said.contains("observing\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    let ids = program_ids(observer.id());
    assert_eq!(ids.len(), 7, "the programs the observer holds");
    observer.kill().unwrap();
    assert_eq!(observer.wait().unwrap().signal(), Some(9));
    // The kernel frees a program when the last CPU has left it, which it does soon after but not at once.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let left: Vec<u32> = loaded_programs()
            .filter_map(Result::ok)
            .map(|program| program.id())
            .filter(|id| ids.contains(id))
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < until, "still loaded: {left:?}");
        std::thread::yield_now();
    }
}

/// The programs a process has open, from what the kernel says of its file descriptors.
fn program_ids(pid: u32) -> HashSet<u32> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    texts
        .flat_map(|text| {
            let ids = text.lines().filter_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
            ids.collect::<Vec<u32>>()
        })
        .collect()
}
