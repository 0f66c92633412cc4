//! What is told of connections in the own network namespace.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use observer::source::live::ObservationClock;
use observer::source::live::diag::{DiagOptions, spawn};
use observer_core::{Flow, TcpState, TimerKind, Vantage};
use tokio::sync::mpsc::channel;

use crate::support::{
    Connection, Diag, FAST, LOOPBACK_4, LOOPBACK_6, NEVER, cookies, destroyed, ends_with_sockets_polled,
    inode, samples,
};

fn a_stalled_reader_is_seen_at_both_ends(address: IpAddr) {
    let mut connection = Connection::open(address, 0);
    let flow = connection.flow();
    connection.stall();
    let mut diag = Diag::start(connection.port(), FAST);

    let (server_cookie, server) =
        diag.wait_for_sample("the server in persist at window zero", (flow, Vantage::Server), |sample| {
            sample.timer == TimerKind::Persist && sample.send_window == Some(0)
        });
    assert_eq!(server.state, TcpState::Established);
    assert_eq!(server.recv_queue, 0);
    assert!(server.send_queue > 0 && server.not_sent > 0);
    assert!(server.send_buffer_used > server.send_buffer / 3 * 2, "not writable: {server:?}");
    assert!(server.send_window_scale.is_some() && server.recv_window_scale.is_some());
    assert!(server.rto > Duration::ZERO);
    assert_eq!(server.inode, inode(&connection.server));
    assert_eq!(server.uid, nix::unistd::geteuid().as_raw());

    let (client_cookie, client) =
        diag.wait_for_sample("the client with unread bytes", (flow, Vantage::Client), |sample| {
            sample.recv_queue > 0
        });
    assert_eq!(client.state, TcpState::Established);
    assert_eq!(client.send_queue, 0);
    assert_eq!(u64::from(client.recv_queue), client.bytes_received);
    assert_eq!(client.bytes_received, server.bytes_acked);
    assert!(client.recv_buffer > 0 && client.recv_buffer_used >= client.recv_queue);
    // The kernel tells it from 6.2 on.
    assert!(client.recv_window.is_none_or(|window| window == 0), "{:?}", client.recv_window);
    assert_eq!(client.inode, inode(&connection.client));
    assert_eq!(client.recv_window_scale, server.send_window_scale);

    // In trouble they are told at every poll, by the same names.
    let names = HashMap::from([(Vantage::Server, server_cookie), (Vantage::Client, client_cookie)]);
    assert_ne!(client_cookie, server_cookie);
    for _ in 0..2 {
        let events = diag.next();
        let told = samples(&events, flow).into_iter().map(|(end, cookie, _)| (end, cookie));
        assert_eq!(told.collect::<HashMap<_, _>>(), names);
    }
}

#[test]
fn a_stalled_reader_is_seen_at_both_ends_on_ipv4() {
    a_stalled_reader_is_seen_at_both_ends(LOOPBACK_4);
}

#[test]
fn a_stalled_reader_is_seen_at_both_ends_on_ipv6() {
    a_stalled_reader_is_seen_at_both_ends(LOOPBACK_6);
}

/// A server that listens on `::` has its IPv4 clients at mapped addresses.
#[test]
fn ipv4_at_an_ipv6_socket_is_the_same_flow_at_both_ends() {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let address = SocketAddr::new(LOOPBACK_4, listener.local_addr().unwrap().port());
    let client = TcpStream::connect(address).unwrap();
    let _server = listener.accept().unwrap();
    let flow = Flow { client: client.local_addr().unwrap(), server: address };
    let mut diag = Diag::start(address.port(), NEVER);
    let events = diag.next();
    let ends: Vec<_> = samples(&events, flow).into_iter().map(|(end, ..)| end).collect();
    assert_eq!(ends.len(), 2, "{events:?}");
    assert!(ends.contains(&Vantage::Client) && ends.contains(&Vantage::Server));
}

#[test]
fn a_quiet_connection_is_told_once_and_its_end_too_on_ipv4() {
    a_quiet_connection_is_told_once_and_its_end_too(LOOPBACK_4);
}

#[test]
fn a_quiet_connection_is_told_once_and_its_end_too_on_ipv6() {
    a_quiet_connection_is_told_once_and_its_end_too(LOOPBACK_6);
}

fn a_quiet_connection_is_told_once_and_its_end_too(address: IpAddr) {
    let connection = Connection::open(address, 0);
    let flow = connection.flow();
    let mut diag = Diag::start(connection.port(), NEVER);
    let first = diag.next();
    let told = cookies(&first, flow);
    assert_eq!(told.len(), 2);
    assert!(ends_with_sockets_polled(&first));

    for _ in 0..3 {
        diag.handle.poll_now();
        let events = diag.next();
        assert!(samples(&events, flow).is_empty(), "{events:?}");
        assert!(destroyed(&events, flow).is_empty(), "{events:?}");
        assert!(ends_with_sockets_polled(&events));
    }

    drop(connection);
    diag.handle.set_period(FAST);
    assert_eq!(diag.wait_for_end(flow), told);
}

#[test]
fn the_orphan_of_a_server_that_gave_up_is_still_seen() {
    let mut connection = Connection::open(LOOPBACK_4, 0);
    let flow = connection.flow();
    connection.stall();
    let mut diag = Diag::start(connection.port(), FAST);
    let (cookie, before) = diag.wait_for_sample("the server in persist", (flow, Vantage::Server), |sample| {
        sample.timer == TimerKind::Persist && sample.send_window == Some(0)
    });
    let Connection { client: _client, server } = connection;
    drop(server);
    let (orphan_cookie, orphan) =
        diag.wait_for_sample("the server's orphan", (flow, Vantage::Server), |sample| {
            sample.state == TcpState::FinWait1
        });
    assert_eq!(orphan_cookie, cookie);
    assert_eq!(orphan.inode, 0);
    assert_eq!(orphan.timer, TimerKind::Persist);
    assert_eq!(orphan.send_queue, before.send_queue + 1, "the FIN has its place behind the data");
}

#[test]
fn other_ports_are_not_told() {
    let (ours, theirs) = (Connection::open(LOOPBACK_4, 0), Connection::open(LOOPBACK_4, 0));
    let mut diag = Diag::start(ours.port(), NEVER);
    let events = diag.next();
    assert_eq!(samples(&events, ours.flow()).len(), 2);
    assert!(samples(&events, theirs.flow()).is_empty());
}

/// Were the thread to wait for room in the channel, or for its period to pass, the drop would not return.
#[test]
fn stops_when_dropped_though_nobody_takes_its_events() {
    let connection = Connection::open(LOOPBACK_4, 0);
    let clock = ObservationClock::new().unwrap();
    for period in [FAST, NEVER] {
        let (sender, mut events) = channel(1);
        let ports = vec![connection.port()];
        let handle = spawn(DiagOptions { ports, cgroup: None, period, clock }, sender).unwrap();
        let first = events.blocking_recv().unwrap();
        assert_eq!(samples(&first, connection.flow()).len(), 2);
        handle.poll_now();
        drop(handle);
        while events.blocking_recv().is_some() {}
    }
}

#[test]
fn refuses_to_start_without_ports_or_with_too_many() {
    let clock = ObservationClock::new().unwrap();
    for ports in [vec![], vec![3306; 1025]] {
        let (sender, _events) = channel(1);
        assert!(spawn(DiagOptions { ports, cgroup: None, period: FAST, clock }, sender).is_err());
    }
}
