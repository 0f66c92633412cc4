//! What is not observed, and what was there before.

use std::net::Ipv4Addr;

use observer::source::live::{Cgroup, LiveOptions};
use observer_core::{SocketEventKind, SourceEvent, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::cgroup::OwnCgroup;
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

/// A service that is started again gets a new cgroup by the same name.
#[test]
fn a_cgroup_that_is_removed_is_told_once() {
    run("a_cgroup_that_is_removed_is_told_once", async {
        let root = Cgroup::find().unwrap().unwrap().path;
        let cgroup = OwnCgroup::new(root.join(format!("observer-test-{}", std::process::id())));
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { cgroup: Some(cgroup.0.clone()), ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let polls = |told: &Observed| {
            let polled = |event: &&SourceEvent| matches!(event, SourceEvent::SocketsPolled { .. });
            told.source_events().filter(polled).count()
        };
        let removals = |told: &Observed| {
            let removed = |event: &&SourceEvent| matches!(event, SourceEvent::Degraded { because, .. } if because.ends_with(" was removed; start again"));
            told.source_events().filter(removed).count()
        };
        std::fs::remove_dir(&cgroup.0).unwrap();
        told.until("the removal", |told| (removals(told) > 0).then_some(())).await;
        std::fs::create_dir(&cgroup.0).unwrap();
        let so_far = polls(&told);
        told.until("more polls", |told| (polls(told) > so_far + 5).then_some(())).await;
        assert_eq!(removals(&told), 1);
    });
}
