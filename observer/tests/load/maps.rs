//! How much the kernel's maps hold that an observer has open.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aya::Pod;
use aya::maps::{HashMap, Map, MapData};
use observer_common::{CommandHead, ConnectionState, Ends, Wait};

/// Entries of the maps behind the files whose `fdinfo` this is, by the maps' names.
pub(crate) fn entries(fdinfo: &Path) -> BTreeMap<&'static str, usize> {
    let infos = fs::read_dir(fdinfo).unwrap().flatten().map(|file| fs::read_to_string(file.path()));
    // A file may have been closed meanwhile.
    let ids = infos.filter_map(Result::ok).filter_map(|info| {
        let id = info.lines().find_map(|line| line.strip_prefix("map_id:"))?;
        id.trim().parse().ok()
    });
    ids.filter_map(of_map).collect()
}

/// A map that has as many entries as there are connections or waits; of others nothing is to be counted.
fn of_map(id: u32) -> Option<(&'static str, usize)> {
    let info = MapData::from_id(id).unwrap().info().unwrap();
    let (key, value) = (info.key_size(), info.value_size());
    let fits = |key_size: usize, value_size: usize| (key as usize, value as usize) == (key_size, value_size);
    Some(match info.name_as_str()? {
        "CONNECTIONS" => ("CONNECTIONS", count::<8, { size_of::<ConnectionState>() }>(id, fits)),
        "PREPARED" => ("PREPARED", count::<8, { size_of::<CommandHead>() }>(id, fits)),
        "WAITS" => ("WAITS", count::<8, { size_of::<Wait>() }>(id, fits)),
        "SERVERS" => ("SERVERS", count::<4, 1>(id, fits)),
        "CONNECTING" => ("CONNECTING", count::<8, CONNECTING>(id, fits)),
        "HANDSHAKES" => ("HANDSHAKES", count::<{ size_of::<Ends>() }, HANDSHAKE>(id, fits)),
        _ => return None,
    })
}

/// What only the kernel programs know, in bytes.
const CONNECTING: usize = 24;
const HANDSHAKE: usize = 32;

fn count<const KEY: usize, const VALUE: usize>(id: u32, fits: impl Fn(usize, usize) -> bool) -> usize
where
    [u8; KEY]: Pod,
    [u8; VALUE]: Pod,
{
    assert!(fits(KEY, VALUE), "the map has other keys or values than {KEY} and {VALUE} bytes");
    let map = Map::LruHashMap(MapData::from_id(id).unwrap());
    let map: HashMap<_, [u8; KEY], [u8; VALUE]> = map.try_into().unwrap();
    map.keys().map(Result::unwrap).count()
}
