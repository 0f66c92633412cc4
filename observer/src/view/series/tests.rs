//! Histories made of scripted events.

use std::net::SocketAddr;

use observer_core::{Flow, SeqNumber, SocketEvent, SocketRef};

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000) + Duration::from_millis(millis)
}

fn event(millis: u64, kind: SocketEventKind) -> Event {
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let flow = Flow { client: address(40000), server: address(3306) };
    let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: None };
    Event { at: at(millis), kind: EventKind::Socket(SocketEvent { socket, kind }) }
}

fn zero(millis: u64) -> Event {
    event(millis, SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(1) })
}

fn update(millis: u64, window: u32) -> Event {
    let (by, ack) = (End::Client, SeqNumber(1));
    event(millis, SocketEventKind::WindowUpdate { by, window: Some(window), ack })
}

fn series() -> Series {
    Series::new(Duration::from_secs(60), Grain::Fine)
}

#[test]
fn a_short_zero_window_is_not_averaged_away() {
    let mut series = series();
    for event in [update(0, 9000), zero(10_000), update(10_010, 8000), update(10_020, 7000)] {
        assert!(series.observe(&event));
    }
    let windows = series.smallest_windows(at(0), at(60_000), 6);
    assert_eq!(windows, [9000, 0, 7000, 7000, 7000, 7000].map(Some));
}

#[test]
fn a_bin_without_a_point_carries_the_last_value_on() {
    let mut series = series();
    series.observe(&update(25_000, 500));
    series.observe(&zero(45_000));
    assert_eq!(
        series.smallest_windows(at(0), at(60_000), 6),
        [None, None, Some(500), Some(500), Some(0), Some(0)]
    );
    // What was last known before the first bin counts too.
    assert_eq!(series.smallest_windows(at(50_000), at(80_000), 3), [Some(0); 3]);
    assert_eq!(series.smallest_windows(at(50_000), at(50_000), 2), [Some(0); 2]);
    assert_eq!(series.smallest_windows(at(0), at(60_000), 0), []);
}

#[test]
fn what_a_bin_ends_with_is_what_the_next_one_begins_with() {
    let mut series = series();
    // Further apart than a slot, and within one part of the time; the last two within the last part.
    for event in [update(0, 9000), zero(10_100), update(10_600, 8000), zero(13_100), update(13_600, 7000)] {
        assert!(series.observe(&event));
    }
    let windows = series.smallest_windows(at(9_000), at(14_000), 5);
    assert_eq!(windows, [9000, 0, 8000, 8000, 0].map(Some));
}

#[test]
fn is_bounded() {
    let mut series = series();
    for second in 0..10_000 {
        series.observe(&update(second * 1000, u32::try_from(second).unwrap() + 1));
        series.observe(&event(second * 1000, SocketEventKind::ZeroWindowProbe { by: End::Server }));
    }
    assert_eq!(series.points().count(), Grain::Fine.points());
    assert_eq!(series.marks().count(), PROBES);
    for _ in 0..100 {
        series.observe(&event(20_000_000, SocketEventKind::Reset { by: End::Client }));
    }
    assert_eq!(series.marks().count(), PROBES + 1, "the same again");
}

#[test]
fn nothing_new_is_nothing_to_see() {
    let mut series = series();
    assert!(series.observe(&update(1000, 500)));
    assert!(!series.observe(&update(2000, 500)));
    assert!(!series.observe(&update(900, 400)), "older than what is known");
    assert_eq!(series.points().count(), 1);
}

#[test]
fn the_window_comes_from_wherever_it_is_known() {
    let mut series = series();
    let counters = |window| Counters { sent: 7, acknowledged: 7, window };
    series.count(at(0), Origin::ServerWire, counters(None));
    assert!(series.count(at(1000), Origin::ClientSocket, counters(Some(500))));
    assert!(series.count(at(2000), Origin::ClientSocket, counters(Some(400))));
    assert_eq!(series.smallest_windows(at(0), at(3000), 3), [None, Some(500), Some(400)]);
    // Once the better origin knows it, it alone counts.
    series.count(at(3000), Origin::ServerWire, counters(Some(300)));
    assert!(!series.count(at(4000), Origin::ClientSocket, counters(Some(200))));
}

#[test]
fn the_same_addresses_again_begin_a_new_series() {
    let mut series = series();
    series.observe(&update(0, 500));
    let syn = SocketEventKind::Syn { by: End::Client, window_scale: None, seq: SeqNumber(1) };
    series.observe(&event(1000, syn));
    assert_eq!(series.points().count(), 0);
}

#[test]
fn fewer_points_cover_the_same_time_and_keep_the_zero() {
    let mut series = series();
    for second in 0..84 {
        series.observe(&update(second * 1000, 500 + u32::try_from(second).unwrap()));
    }
    series.observe(&zero(84_100));
    series.observe(&update(84_400, 700));
    series.set_grain(Grain::Coarse);
    assert_eq!(series.points().count(), 28 + 1);
    assert_eq!(series.points().next().unwrap().at, at(0));
    assert_eq!(series.points().last().unwrap().smallest, Some(0));
}
