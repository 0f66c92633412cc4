//! More connections than there is room for.

use std::num::NonZeroUsize;

use observer_core::{End, EventKind, LossPoint, SourceEvent};

use super::files::Pcap;
use super::talk::{SECOND, Talk};
use super::{PORT, PcapOptions, Reader};
use crate::source::pcap::segment::ACK;

const ROOM: usize = 10;

fn lost(talks: &[Talk]) -> u64 {
    let mut all = Talk::new();
    all.packets = talks.iter().flat_map(|talk| talk.packets.clone()).collect();
    all.packets.sort_by_key(|(at, _)| *at);
    let file = Pcap::default().file(&all);
    let options = PcapOptions {
        ports: vec![PORT],
        max_connections: NonZeroUsize::new(ROOM).unwrap(),
        statements: crate::mysql::Statements::default(),
    };
    let losses = Reader::new(&file[..], options).unwrap().map(|event| match event.unwrap().kind {
        EventKind::Source(SourceEvent::EventsLost { count, lost_by: LossPoint::Tracker }) => count,
        EventKind::Source(other) => panic!("{other:?}"),
        EventKind::Socket(_) => 0,
    });
    losses.sum()
}

/// Connections that begin one after the other, and go on as `then` says.
fn talks(count: u16, then: impl Fn(&mut Talk)) -> Vec<Talk> {
    let begin = |index: u16| {
        let client = ([10, 0, 0, 5], 40_000 + index).into();
        let mut talk = Talk::between(client, ([10, 0, 0, 9], PORT).into());
        talk.wait(i64::from(index) * SECOND);
        talk = talk.opened();
        then(&mut talk);
        talk
    };
    (0..count).map(begin).collect()
}

#[test]
fn those_that_were_silent_for_longest_make_room_and_are_counted() {
    assert_eq!(lost(&talks(10, |_| {})), 0);
    assert_eq!(lost(&talks(25, |_| {})), 15);
}

#[test]
fn those_that_have_ended_are_no_loss() {
    assert_eq!(lost(&talks(25, |talk| talk.reset(End::Server))), 0);
}

#[test]
fn one_that_goes_on_stays() {
    let mut talks = talks(25, |talk| talk.reset(End::Server));
    let first = &mut talks[0];
    first.packets.pop();
    for _ in 0..25 {
        first.wait(SECOND);
        first.send(End::Client, ACK, b"");
    }
    assert_eq!(lost(&talks), 0);
}
