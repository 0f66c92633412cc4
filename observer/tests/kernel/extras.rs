//! What is there on demand.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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

/// What the programs log of a connection comes out on standard error, and on standard output there is none of it.
#[test]
fn what_the_programs_log_is_printed() {
    run("what_the_programs_log_is_printed", async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let mut observer = Command::new(env!("CARGO_BIN_EXE_observer"))
            .args(["live", "--plain", "--bpf-log", "--port", &server.port().to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = BufReader::new(observer.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(talk.by_ref().any(|line| line.contains("watching")), "it has ended");
        drop(TcpStream::connect(server).unwrap());
        let logged = talk.find(|line| line.starts_with("kernel: socket ")).expect("it has ended");
        assert!(logged.contains(": transitions ") && logged.contains(", window "), "{logged}");
        kill(Pid::from_raw(observer.id().cast_signed()), Signal::SIGTERM).unwrap();
        let ended = observer.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
    });
}
