//! What is there on demand.

use std::net::Ipv4Addr;

use observer::source::live::LiveOptions;
use observer_core::{End, SocketEventKind, Vantage};

use crate::harness::{Observed, connect, listen, run};

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
