//! What is there on demand.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use nix::sys::signal::Signal;
use observer::source::live::LiveOptions;
use observer_core::{End, SocketEventKind, Vantage};

use crate::harness::{Observed, connect, listen, run};
use crate::process::Process;

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

/// What the programs log of a connection comes out on standard error, and on standard output there is none of it.
#[test]
fn what_the_programs_log_is_printed() {
    run("what_the_programs_log_is_printed", async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.args(["live", "--plain", "--bpf-log", "--port", &server.port().to_string()]);
        let mut observer = Process::spawn("observer live", &mut command).unwrap();
        observer.wait_stderr("its beginning", |line| line.contains("watching").then_some(())).unwrap();
        drop(TcpStream::connect(server).unwrap());
        let logged = |line: &str| line.starts_with("kernel: socket ").then(|| line.to_owned());
        let logged = observer.wait_stderr("what is logged", logged).unwrap();
        assert!(logged.contains(": transitions ") && logged.contains(", window "), "{logged}");
        observer.signal(Signal::SIGTERM).unwrap();
        assert!(observer.wait().unwrap().success(), "{:#?}", observer.stderr.all());
        assert!(observer.stdout.all().is_empty(), "{:#?}", observer.stdout.all());
    });
}
