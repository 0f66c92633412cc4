//! Curves made of scripted events.

use std::net::SocketAddr;

use observer_core::{Flow, SeqNumber, SocketRef};

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::EPOCH + Duration::from_millis(millis)
}

fn event(kind: SocketEventKind) -> SocketEvent {
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let flow = Flow { client: address(40_000), server: address(3306) };
    SocketEvent { socket: SocketRef { flow, seen_at: Vantage::Client, cookie: None }, kind }
}

fn zero() -> SocketEvent {
    event(SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(1) })
}

fn update(window: u32) -> SocketEvent {
    event(SocketEventKind::WindowUpdate { by: End::Client, window: Some(window), ack: SeqNumber(1) })
}

/// A curve that has counted so much.
fn counted(curve: &mut Curve, at: Timestamp, origin: Origin, acknowledged: u64) {
    let mut point = curve.last(at);
    curve.count(&mut point, origin, Counters { sent: acknowledged + 5, acknowledged, window: Some(100) });
    curve.push(point, PACE);
}

fn seen(curve: &Curve) -> Vec<(i64, i64)> {
    curve.points().iter().map(|point| (point.at.as_micros() / 1000, point.acknowledged)).collect()
}

#[test]
fn a_window_changes_at_once_and_a_count_little_by_little() {
    let mut curve = Curve::new(100);
    curve.observe(at(0), &update(500));
    curve.observe(at(10_000), &zero());
    let windows: Vec<_> = curve.points().iter().map(|point| (point.at, point.window)).collect();
    assert_eq!(windows, [(at(0), Some(500)), (at(10_000), Some(500)), (at(10_000), Some(0))]);

    let mut curve = Curve::new(100);
    counted(&mut curve, at(0), Origin::ClientWire, 10);
    counted(&mut curve, at(500), Origin::ClientWire, 20);
    counted(&mut curve, at(60_000), Origin::ClientWire, 30);
    counted(&mut curve, at(61_800), Origin::ClientWire, 40);
    let expected = [(0, 10), (500, 20), (59_000, 20), (60_000, 30), (60_800, 30), (61_800, 40)];
    assert_eq!(seen(&curve), expected, "held until shortly before");
}

#[test]
fn the_edge_of_a_window_does_not_move_back_when_it_closes() {
    let mut curve = Curve::new(100);
    counted(&mut curve, at(0), Origin::ClientWire, 1_000);
    curve.acknowledged = Some((SeqNumber(u32::MAX), 1_000));
    // It was 100: the client's kernel has taken all of them by now.
    let ack = SeqNumber(99);
    curve.observe(at(400), &event(SocketEventKind::ZeroWindow { by: End::Client, ack }));
    let seen: Vec<_> = curve.points().iter().map(|point| (point.acknowledged, point.window)).collect();
    assert_eq!(seen, [(1_000, Some(100)), (1_100, Some(0))]);
}

#[test]
fn what_says_nothing_new_is_not_kept() {
    let mut curve = Curve::new(100);
    curve.observe(at(0), &update(500));
    curve.observe(at(1000), &update(500));
    assert_eq!(curve.points().len(), 1);
    curve.observe(at(2000), &update(600));
    curve.observe(at(1500), &update(700));
    assert!(
        curve.points().is_sorted_by_key(|point| point.at),
        "what is told late is not told of an earlier time"
    );
}

#[test]
fn better_counters_go_on_where_the_others_were() {
    let mut curve = Curve::new(100);
    curve.observe(at(0), &update(100));
    assert!(!curve.counts());
    counted(&mut curve, at(500), Origin::ClientSocket, 1_000);
    counted(&mut curve, at(1_000), Origin::ClientSocket, 1_300);
    counted(&mut curve, at(1_500), Origin::ServerWire, 300);
    assert_eq!(seen(&curve), [(0, 0), (500, 0), (1_000, 300)], "the same moment twice is one");
    counted(&mut curve, at(2_000), Origin::ClientSocket, 1_600);
    counted(&mut curve, at(2_500), Origin::ServerWire, 700);
    assert_eq!(curve.points().last().unwrap().acknowledged, 700, "the worse ones do not count any more");
}

#[test]
fn a_million_events_are_a_few_points_and_the_stall_is_among_them() {
    let mut curve = Curve::new(100);
    let (mut acknowledged, mut sampled) = (0, 0);
    for second in 0..1_000_000_u64 {
        // Rows stream with little bumps, and once they do not for ten hours.
        if !(500_000..536_000).contains(&second) {
            acknowledged += 1_000_000 + second * 7_919 % 10_000;
        }
        counted(&mut curve, at(second * 1000), Origin::ClientWire, acknowledged);
        sampled = sampled.max(curve.points().len());
    }
    assert!(sampled <= 100, "{sampled}");
    let flat = curve.points().windows(2).find(|pair| pair[0].acknowledged == pair[1].acknowledged).unwrap();
    let [begin, end] = [flat[0].at, flat[1].at].map(|at| at.as_micros() / 1_000_000);
    assert!((499_990..=500_010).contains(&begin) && (535_990..=536_010).contains(&end), "{begin} to {end}");
    assert_eq!(curve.points()[0].at, at(0));
    assert!(curve.points().is_sorted_by_key(|point| point.at));
}

#[test]
fn hostile_counts_do_no_harm() {
    let mut curve = Curve::new(8);
    for (step, count) in
        [0, u64::MAX - 5, 1, u64::MAX / 2, 7, 0, 3, u64::MAX - 5, 9, 2].into_iter().enumerate()
    {
        let origin = [Origin::ClientSocket, Origin::ServerSocket, Origin::ServerWire][step % 3];
        counted(&mut curve, at(10 - step as u64), origin, count);
    }
    assert!(curve.points().len() <= 8);
    assert!(curve.points().iter().all(|point| point.edge().is_none_or(|edge| edge >= point.acknowledged)));
}

#[test]
fn a_part_of_it_begins_and_ends_with_what_holds_there() {
    let mut curve = Curve::new(100);
    counted(&mut curve, at(1_000), Origin::ClientWire, 100);
    counted(&mut curve, at(2_000), Origin::ClientWire, 200);
    counted(&mut curve, at(3_000), Origin::ClientWire, 300);
    let cut = |from, to| {
        let points = curve.cut(at(from), at(to));
        points.iter().map(|point| (point.at.as_micros() / 1000, point.acknowledged)).collect::<Vec<_>>()
    };
    assert_eq!(cut(1_500, 2_500), [(1_500, 150), (2_000, 200), (2_500, 250)]);
    assert_eq!(cut(0, 1_500), [(1_000, 100), (1_500, 150)], "nothing is known before");
    assert_eq!(cut(3_500, 4_000), [(3_500, 300), (4_000, 300)]);
    assert_eq!(cut(0, 500), []);
}

#[test]
fn after_a_gap_it_goes_on_by_the_sequence_numbers_and_without_a_line() {
    let mut curve = Curve::new(100);
    counted(&mut curve, at(0), Origin::ClientWire, 1_000);
    counted(&mut curve, at(500), Origin::ClientWire, 1_500);
    curve.acknowledged = Some((SeqNumber(u32::MAX - 99), 1_500));
    // Its programs have counted from nothing; meanwhile 300 bytes have come.
    let mut later = Curve::new(100);
    counted(&mut later, at(60_000), Origin::ClientWire, 10);
    counted(&mut later, at(60_500), Origin::ClientWire, 110);
    later.acknowledged = Some((SeqNumber(300), 110));
    curve.go_on(later);
    assert_eq!(seen(&curve), [(0, 1_000), (500, 1_500), (60_000, 1_800), (60_500, 1_900)]);
    let gaps: Vec<_> = curve.points().iter().map(|point| point.after_gap).collect();
    assert_eq!(gaps, [false, false, true, false]);
    let moments = |from, to| {
        let points = curve.cut(at(from), at(to));
        points.iter().map(|point| point.at.as_micros() / 1000).collect::<Vec<_>>()
    };
    assert_eq!(moments(30_000, 60_200), [60_000, 60_200], "of the gap nothing is known");
    assert_eq!(moments(250, 30_000), [250, 500]);
}

#[test]
fn the_ends_of_a_gap_are_kept_and_there_is_a_limit() {
    let mut curve = Curve::new(20);
    for observation in 0..5 {
        let mut later = Curve::new(20);
        for step in 0..18 {
            counted(
                &mut later,
                at(observation * 60_000 + step * 500),
                Origin::ClientSocket,
                100 + step * step,
            );
        }
        curve.go_on(later);
        assert!(curve.points().len() <= 20, "{}", curve.points().len());
    }
    assert_eq!(curve.points().iter().filter(|point| point.after_gap).count(), 4);
}
