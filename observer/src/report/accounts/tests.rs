//! Accounts of more connections than there is room for.

use std::net::SocketAddr;

use observer_core::{SeqNumber, SocketEvent, SocketRef, TcpState, Vantage};

use super::*;

/// What the client at this port does.
fn event(port: u16, second: i64, kind: SocketEventKind) -> Event {
    let address = |last, port| SocketAddr::from(([10, 0, 0, last], port));
    let flow = Flow { client: address(1, port), server: address(2, 3306) };
    let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: Some(port.into()) };
    let kind = EventKind::Socket(SocketEvent { socket, kind });
    Event { at: Timestamp::from_micros(second * 1_000_000), kind }
}

fn closing(port: u16, second: i64) -> Event {
    event(port, second, SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(1) })
}

/// Takes an event, and gives the connection it is about.
fn take(accounts: &mut Accounts, tracker: &mut Tracker, event: &Event) -> Option<ConnectionId> {
    let about = tracker.handle_event(event);
    accounts.event(event, about, tracker);
    while let Some(finding) = tracker.poll() {
        accounts.finding(&finding, tracker);
    }
    about
}

#[test]
fn there_is_a_limit_and_who_is_beyond_it_counts_once() {
    let mut tracker = Tracker::new(Config::default());
    let mut accounts = Accounts::new(Config::default(), Kept::Trouble, 16);
    for second in 1..4 {
        for port in 1..=20 {
            take(&mut accounts, &mut tracker, &closing(port, second));
        }
    }
    assert_eq!((accounts.by_id.len(), accounts.left_out.count), (16, 4));
    let report = accounts.finish(Timestamp::EPOCH, Timestamp::from_micros(4_000_000), &tracker);
    assert_eq!(report.left_out, 4);
}

/// An open window, which is no trouble.
fn quiet(port: u16, second: i64) -> Event {
    event(
        port,
        second,
        SocketEventKind::WindowUpdate { by: End::Client, window: Some(65_536), ack: SeqNumber(1) },
    )
}

/// A connection ends as it should.
fn end(accounts: &mut Accounts, tracker: &mut Tracker, port: u16, second: i64) {
    let (from, to) = (TcpState::Established, TcpState::Closed);
    take(accounts, tracker, &event(port, second, SocketEventKind::State { from, to, process: None }));
    take(accounts, tracker, &event(port, second, SocketEventKind::Destroyed));
}

#[test]
fn of_all_connections_those_that_ended_well_make_room_for_trouble() {
    let mut tracker = Tracker::new(Config::default());
    let mut accounts = Accounts::new(Config::default(), Kept::All, 16);
    for port in 1..=100 {
        take(&mut accounts, &mut tracker, &quiet(port, 1));
    }
    // Four of those that are told of end, and trouble comes to five of the others.
    for port in 3..=6 {
        end(&mut accounts, &mut tracker, port, 2);
    }
    for port in 50..55 {
        take(&mut accounts, &mut tracker, &closing(port, 3));
        let probe = SocketEventKind::ZeroWindowProbe { by: End::Server };
        take(&mut accounts, &mut tracker, &event(port, 4, probe));
    }
    let now = Timestamp::from_micros(80_000_000);
    tracker.handle_timeout(now);
    while let Some(finding) = tracker.poll() {
        accounts.finding(&finding, &tracker);
    }
    let report = accounts.finish(Timestamp::EPOCH, now, &tracker);
    let told: Vec<_> = report.accounts.iter().map(|account| account.flow.client.port()).collect();
    assert_eq!(told, [1, 2, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 50, 51, 52, 53]);
    assert_eq!((report.connections, report.left_out, report.left_out_in_trouble), (100, 84, 1));
    let in_trouble = report.accounts.iter().filter(|account| account.severity.is_some());
    assert_eq!(in_trouble.count(), 4);
}

#[test]
fn all_connections_that_are_left_out_are_counted() {
    for (kept, begin) in [(Kept::All, quiet as fn(u16, i64) -> Event), (Kept::Trouble, closing)] {
        let mut tracker = Tracker::new(Config::default());
        let mut accounts = Accounts::new(Config::default(), kept, 16);
        for port in 1..=1_000 {
            take(&mut accounts, &mut tracker, &begin(port, 1));
        }
        let report = accounts.finish(Timestamp::EPOCH, Timestamp::from_micros(1_000_000), &tracker);
        assert_eq!(report.left_out, 984, "{kept:?}");
    }
}

#[test]
fn while_watching_those_that_ended_well_make_room() {
    let mut tracker = Tracker::new(Config::default());
    let mut accounts = Accounts::new(Config::default(), Kept::Known, 16);
    for port in 1..=200 {
        // A window that was touched, and an ordinary end.
        let second = i64::from(port);
        take(&mut accounts, &mut tracker, &closing(port, second));
        take(&mut accounts, &mut tracker, &quiet(port, second));
        end(&mut accounts, &mut tracker, port, second);
        assert!(accounts.by_id.len() <= 16);
    }
    assert_eq!(accounts.left_out.count, 0, "{:?}", accounts.left_out);
}

#[test]
fn a_report_on_one_says_that_there_was_no_room() {
    let mut tracker = Tracker::new(Config::default());
    let mut accounts = Accounts::new(Config::default(), Kept::Known, 4);
    let ids: Vec<_> =
        (1..=5).filter_map(|port| take(&mut accounts, &mut tracker, &closing(port, 1))).collect();
    let now = Timestamp::from_micros(2_000_000);
    let left_out = |id| {
        let connection = tracker.connection(id).unwrap();
        accounts.report_on(connection, "db1:3306", now, &tracker).left_out
    };
    assert_eq!(ids.into_iter().map(left_out).collect::<Vec<_>>(), [0, 0, 0, 0, 1]);
}
