//! The histories of all connections, in bounded memory.
//!
//! A fine history is 240 points of 40 bytes, a coarse one 30. Of the default 16,384 connections at most, 1,024 fine and
//! 15,360 coarse ones take about 35 MB.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use observer_core::Flow;

use super::{Grain, Series};

/// Fine histories. Connections that come later have coarse ones, until they stand still.
const FINE: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// One history for each pair of addresses.
#[derive(Clone, Debug)]
pub(in crate::view) struct Histories {
    all: HashMap<Flow, Series>,
    /// Those that are fine, by the last time their window closed.
    fine: LruCache<Flow, ()>,
    most: usize,
}

impl Histories {
    /// Of at most so many connections: what comes from the network does not decide how much is kept.
    pub(in crate::view) fn new(most: usize) -> Self {
        Self { all: HashMap::new(), fine: LruCache::new(FINE), most }
    }

    /// The history that an event belongs to, a new one if need be; `None` when there are too many.
    pub(in crate::view) fn of_event(&mut self, flow: Flow, timeout: Duration) -> Option<&mut Series> {
        if !self.all.contains_key(&flow) {
            if self.all.len() >= self.most {
                return None;
            }
            let grain = if self.fine.contains(&flow) || self.fine.len() < FINE.get() {
                self.fine.push(flow, ());
                Grain::Fine
            } else {
                Grain::Coarse
            };
            self.all.insert(flow, Series::new(timeout, grain));
        }
        self.all.get_mut(&flow)
    }

    /// This connection is one to look at: its history is a fine one from now on. The one that has been well for the
    /// longest time makes room.
    pub(in crate::view) fn refine(&mut self, flow: Flow) {
        if let Some(series) = self.all.get_mut(&flow) {
            series.set_grain(Grain::Fine);
        }
        if let Some((other, ())) = self.fine.push(flow, ()).filter(|(other, ())| *other != flow)
            && let Some(series) = self.all.get_mut(&other)
        {
            series.set_grain(Grain::Coarse);
        }
    }

    /// The history of a connection.
    pub(in crate::view) fn get(&self, flow: Flow) -> Option<&Series> {
        self.all.get(&flow)
    }

    /// How many there are.
    pub(in crate::view) fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets those of other connections.
    pub(in crate::view) fn retain(&mut self, is_known: impl Fn(Flow) -> bool) {
        self.all.retain(|flow, _| is_known(*flow));
        let gone: Vec<_> =
            self.fine.iter().map(|(flow, ())| *flow).filter(|flow| !self.all.contains_key(flow)).collect();
        for flow in gone {
            self.fine.pop(&flow);
        }
    }

    /// Forgets all.
    pub(in crate::view) fn clear(&mut self) {
        self.all.clear();
        self.fine.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use observer_core::{End, Event};
    use observer_core::{EventKind, SeqNumber, SocketEvent, SocketEventKind, SocketRef, Timestamp, Vantage};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn flow(number: u32) -> Flow {
        let address = |ip: u32, port| SocketAddr::from((ip.to_be_bytes(), port));
        Flow { client: address(0x0a00_0000 + number, 40_000), server: address(0x0a01_0000, 3306) }
    }

    /// A window that changes each second.
    fn change(histories: &mut Histories, flow: Flow, seconds: std::ops::Range<u32>) {
        for second in seconds {
            let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: None };
            let (by, ack) = (End::Client, SeqNumber(1));
            let kind = SocketEventKind::WindowUpdate { by, window: Some(second + 1), ack };
            let at = Timestamp::EPOCH + Duration::from_secs(second.into());
            let event = Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) };
            histories.of_event(flow, TIMEOUT).unwrap().observe(&event);
        }
    }

    #[test]
    fn very_many_connections_take_bounded_memory() {
        let mut histories = Histories::new(3000);
        for number in 0..4000 {
            let known = histories.of_event(flow(number), TIMEOUT).is_some();
            assert_eq!(known, number < 3000);
        }
        for number in 0..3000 {
            change(&mut histories, flow(number), 0..100);
        }
        let points = |number| histories.get(flow(number)).unwrap().points().count();
        assert_eq!((histories.len(), points(0), points(2999)), (3000, 100, 30));
        let all: usize = (0..3000).map(points).sum();
        assert!(all <= 1024 * 240 + 2000 * 30, "{all}");
    }

    #[test]
    fn who_stands_still_gets_a_fine_history_from_who_does_not() {
        let mut histories = Histories::new(3000);
        for number in 0..2000 {
            change(&mut histories, flow(number), 0..90);
        }
        histories.refine(flow(1999));
        change(&mut histories, flow(1999), 90..150);
        let points = |number| histories.get(flow(number)).unwrap().points().count();
        // The oldest of the fine ones keeps its whole time, if in fewer points.
        assert_eq!((points(0), points(1)), (30, 90));
        assert_eq!(points(1999), 30 + 60);
        let first = histories.get(flow(0)).unwrap().points().next().unwrap().at;
        assert_eq!(first, Timestamp::EPOCH);
        histories.retain(|known| known == flow(7));
        assert_eq!((histories.len(), histories.fine.len()), (1, 1));
    }
}
