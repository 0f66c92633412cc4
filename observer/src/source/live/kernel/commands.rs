//! What clients asked last.

use aya::maps::{HashMap, MapData};
use observer_common::{CommandHead, name};
use observer_core::Timestamp;

use super::load::Kernel;
use crate::source::live::ObservationClock;

/// The beginning of a client's last command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCommand {
    /// When it passed.
    pub at: Timestamp,
    /// At most 256 bytes, from the MySQL packet header on.
    pub bytes: Vec<u8>,
}

/// The kernel's map of last commands.
#[derive(Debug)]
pub struct LastCommands {
    map: HashMap<MapData, u64, [u8; size_of::<CommandHead>()]>,
    clock: ObservationClock,
}

impl LastCommands {
    pub(crate) fn new(kernel: &Kernel, clock: ObservationClock) -> anyhow::Result<Self> {
        let map = kernel.take_map(name::COMMANDS)?;
        Ok(Self { map: map.try_into()?, clock })
    }

    /// The last command that passed the socket with this cookie; `None` if none did, or it was long ago.
    pub fn get(&self, cookie: u64) -> Option<LastCommand> {
        let head: CommandHead = bytemuck::pod_read_unaligned(&self.map.get(&cookie, 0).ok()?);
        let bytes = head.bytes.get(..usize::try_from(head.length).ok()?)?.to_vec();
        Some(LastCommand { at: self.clock.from_kernel(head.at), bytes })
    }
}
