//! Server and client together, over TCP on 127.0.0.1.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::source::live::ObservationClock;

const TIMEOUT: Duration = Duration::from_secs(1);

fn serve(options: ServerOptions) -> (Server, Receiver<ServerEvent>) {
    let (sender, events) = channel();
    let server = Server::start(options, ObservationClock::new().unwrap(), move |event| {
        // Nobody listens any more at the end of a test.
        let _ = sender.send(event);
    })
    .unwrap();
    (server, events)
}

fn connect(server: &Server) -> Client {
    Client::connect(server.address(), &ClientOptions::default()).unwrap()
}

fn abort_of(events: &Receiver<ServerEvent>) -> ServerEvent {
    loop {
        let event = events.recv_timeout(Duration::from_secs(60)).expect("the server gives up");
        if matches!(event.kind, ServerEventKind::Aborted { .. }) {
            return event;
        }
    }
}

/// Stops reading until the server has given up, then reads on; gives the server's event, the client, and how
/// it failed.
fn stall(dialect: Dialect) -> (ServerEvent, Client, ClientError) {
    let (server, events) =
        serve(ServerOptions { dialect, net_write_timeout: TIMEOUT, ..ServerOptions::default() });
    let mut client = connect(&server);
    client.query("SELECT id, payload FROM readings").unwrap();
    assert_eq!(client.read_rows(8).unwrap(), 8);
    let abort = abort_of(&events);
    let failure = client.read_rows(u64::MAX).unwrap_err();
    (abort, client, failure)
}

#[test]
fn mysql_ends_with_a_fin_behind_all_that_was_written() {
    let (abort, client, failure) = stall(Dialect::MySql);
    let ServerEventKind::Aborted { waiting_since, timeout, sent } = abort.kind else { unreachable!() };
    assert_eq!(timeout, TIMEOUT);
    assert!(abort.at.since(waiting_since) >= TIMEOUT, "{abort:?}");
    assert!(matches!(failure, ClientError::LostConnection { reset: false }), "{failure:?}");
    assert_eq!(client.bytes(), sent, "what the kernel took from the server reached the client");
    assert_eq!((client.address(), client.thread_id()), (abort.client, abort.thread_id));
}

#[test]
fn mariadb_ends_with_a_reset_that_discards_what_was_unsent() {
    let (abort, client, failure) = stall(Dialect::MariaDb);
    let ServerEventKind::Aborted { waiting_since, sent, .. } = abort.kind else { unreachable!() };
    assert!(abort.at.since(waiting_since) >= TIMEOUT, "{abort:?}");
    assert!(matches!(failure, ClientError::LostConnection { reset: true }), "{failure:?}");
    assert!(client.bytes() < sent, "{} of {sent} bytes", client.bytes());
}

#[test]
fn a_session_can_set_its_own_timeout() {
    let (server, events) = serve(ServerOptions::default());
    let mut client = connect(&server);
    client.execute("SET SESSION net_write_timeout = 1").unwrap();
    client.query("SELECT id, payload FROM readings").unwrap();
    let abort = abort_of(&events);
    assert!(
        matches!(abort.kind, ServerEventKind::Aborted { timeout, .. } if timeout == TIMEOUT),
        "{abort:?}"
    );
}

#[test]
fn serves_commands_until_quit() {
    let (server, events) = serve(ServerOptions { row_bytes: 3, ..ServerOptions::default() });
    let mut client = connect(&server);
    client.ping().unwrap();
    client.execute("SET NAMES utf8mb4").unwrap();
    client.query("SELECT id, payload FROM readings LIMIT 3").unwrap();
    assert_eq!(client.read_rows(2).unwrap(), 2);
    assert_eq!(client.read_rows(2).unwrap(), 1);
    assert_eq!(client.read_rows(2).unwrap(), 0);
    client.quit().unwrap();
    drop(server);
    let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [ServerEventKind::Connected, ServerEventKind::ResultSent { rows: 3 }, ServerEventKind::Closed]
    );
}

#[test]
fn refuses_more_connections_than_it_has_threads_for() {
    let (server, _events) = serve(ServerOptions { max_connections: 1, ..ServerOptions::default() });
    let _first = connect(&server);
    let refusal = Client::connect(server.address(), &ClientOptions::default()).unwrap_err();
    assert!(matches!(refusal, ClientError::Server { code: 1040, .. }), "{refusal:?}");
}

#[test]
fn a_hostile_length_ends_the_connection_with_an_error() {
    let (server, _events) = serve(ServerOptions::default());
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.write_all(&[0xff, 0xff, 0xff, 1]).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.ends_with("Malformed communication packet"), "{text:?}");
}

#[test]
fn stopping_the_server_ends_a_write_that_waits() {
    let (server, events) = serve(ServerOptions::default());
    let mut client = connect(&server);
    client.query("SELECT id, payload FROM readings").unwrap();
    drop(server);
    let last = events.into_iter().last().unwrap();
    assert_eq!(last.kind, ServerEventKind::Closed);
}
