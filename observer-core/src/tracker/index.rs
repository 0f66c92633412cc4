//! Where connections are kept, and how they are found by their addresses.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::connection::Connection;
use crate::flow::{ConnectionId, Flow};

/// A place in the [`Index`]. Places are used again, [`ConnectionId`]s are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// How many connections with the same addresses are kept: one lives, the others have ended or belong to other
/// network namespaces with the same private addresses.
const MOST_OF_ONE_FLOW: usize = 16;

/// How many places are added at once at the least.
const LEAST_ADDED: usize = 64;

/// All connections.
///
/// The table holds places only, the keys lie in the connections themselves; for each pair of addresses it holds
/// the newest connection, from which [`Connection::older`] leads on.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    places: Vec<Place>,
    free: Vec<Slot>,
    newest: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Debug, Default)]
struct Place {
    /// How often this place was used: the upper half of a [`ConnectionId`].
    generation: u32,
    connection: Option<Connection>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.places.iter().filter_map(|place| place.connection.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.places.iter_mut().filter_map(|place| place.connection.as_mut())
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.at(slot_of(id)).filter(|connection| connection.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let place = self.places.get_mut(slot_of(id).0 as usize)?;
        place.connection.as_mut().filter(|connection| connection.id == id)
    }

    /// The connections with these addresses, newest first.
    pub(super) fn of_flow<'a>(&'a self, flow: &Flow) -> impl Iterator<Item = &'a Connection> {
        let newest = self.newest.find(self.hasher.hash_one(flow), |slot| self.is(*slot, flow)).copied();
        std::iter::successors(newest.and_then(|slot| self.at(slot)), |newer| self.at(newer.older?))
    }

    /// Adds the connection that `make` makes for its new number. If there are too many with its addresses, the
    /// number of the oldest of them comes back; it has to go.
    pub(super) fn insert(
        &mut self,
        flow: Flow,
        make: impl FnOnce(ConnectionId) -> Connection,
    ) -> (ConnectionId, Option<ConnectionId>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.places.len() == self.places.capacity() {
                // By an eighth: doubled, half of the memory of many connections might lie idle.
                self.places.reserve_exact((self.places.len() / 8).max(LEAST_ADDED));
            }
            self.places.push(Place::default());
            Slot(u32::try_from(self.places.len() - 1).expect("there is no memory for 2^32 connections"))
        });
        let Self { places, newest, hasher, .. } = self;
        let id = ConnectionId(u64::from(places[slot.0 as usize].generation) << 32 | u64::from(slot.0));
        let flow_of =
            |slot: &Slot| places[slot.0 as usize].connection.as_ref().map(|connection| connection.flow);
        let hash = hasher.hash_one(flow);
        let mut older = None;
        if let Some(newest) = newest.find_mut(hash, |slot| flow_of(slot) == Some(flow)) {
            older = Some(std::mem::replace(newest, slot));
        } else {
            let hash_of = |slot: &Slot| hasher.hash_one(flow_of(slot).expect("the table holds used places"));
            newest.insert_unique(hash, slot, hash_of);
        }
        places[slot.0 as usize].connection = Some(Connection { older, ..make(id) });
        let surplus = self.of_flow(&flow).nth(MOST_OF_ONE_FLOW).map(|oldest| oldest.id);
        (id, surplus)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let gone = slot_of(id);
        let (flow, older) = self.get(id).map(|connection| (connection.flow, connection.older))?;
        let newer = self.of_flow(&flow).find(|newer| newer.older == Some(gone)).map(|newer| newer.id);
        if let Some(newer) = newer.and_then(|newer| self.get_mut(newer)) {
            newer.older = older;
        } else {
            let hash = self.hasher.hash_one(flow);
            if let Ok(mut newest) = self.newest.find_entry(hash, |slot| *slot == gone) {
                match older {
                    Some(older) => *newest.get_mut() = older,
                    None => drop(newest.remove()),
                }
            }
        }
        let place = &mut self.places[gone.0 as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(gone);
        place.connection.take()
    }

    fn at(&self, slot: Slot) -> Option<&Connection> {
        self.places.get(slot.0 as usize)?.connection.as_ref()
    }

    fn is(&self, slot: Slot, flow: &Flow) -> bool {
        self.at(slot).is_some_and(|connection| connection.flow == *flow)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the place is the lower half")]
fn slot_of(id: ConnectionId) -> Slot {
    Slot(id.0 as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timeout;
    use crate::time::Timestamp;

    fn flow(port: u16) -> Flow {
        Flow { client: ([10, 0, 0, 2], port).into(), server: ([10, 0, 0, 1], 3306).into() }
    }

    fn add(index: &mut Index, port: u16) -> ConnectionId {
        let make = |id| Connection::new(id, flow(port), Timestamp::EPOCH, Timeout::ASSUMED);
        index.insert(flow(port), make).0
    }

    fn ids(index: &Index, port: u16) -> Vec<ConnectionId> {
        index.of_flow(&flow(port)).map(Connection::id).collect()
    }

    #[test]
    fn finds_the_newest_first_and_closes_gaps() {
        let mut index = Index::default();
        let [a, other, b, c] = [1, 2, 1, 1].map(|port| add(&mut index, port));
        assert_eq!(ids(&index, 1), [c, b, a]);
        index.remove(b);
        assert_eq!(ids(&index, 1), [c, a]);
        index.remove(c);
        assert_eq!(ids(&index, 1), [a]);
        index.remove(a);
        assert_eq!(ids(&index, 1), []);
        assert_eq!((ids(&index, 2), index.len()), (vec![other], 1));
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let mut index = Index::default();
        let old = add(&mut index, 1);
        index.remove(old);
        let new = add(&mut index, 1);
        assert_ne!(old, new);
        assert!(index.get(old).is_none());
        assert!(index.remove(old).is_none());
        assert!(index.get(new).is_some());
    }

    #[test]
    fn too_many_with_the_same_addresses_push_out_the_oldest() {
        let mut index = Index::default();
        let make = |id| Connection::new(id, flow(1), Timestamp::EPOCH, Timeout::ASSUMED);
        let mut surplus = None;
        let oldest = add(&mut index, 1);
        for _ in 0..MOST_OF_ONE_FLOW {
            assert_eq!(surplus, None);
            surplus = index.insert(flow(1), make).1;
        }
        assert_eq!(surplus, Some(oldest));
    }
}
