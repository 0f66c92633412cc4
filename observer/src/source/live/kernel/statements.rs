//! What clients wait for, as the kernel programs have kept it, told when their connections stand still.

use std::collections::HashMap;

use aya::maps::{HashMap as KernelHashMap, MapData};
use observer_common::{CommandHead, name};
use observer_core::{SeqNumber, Statement};

use super::load::Kernel;
use crate::mysql::{Kept, Statements, statement};
use crate::source::live::ObservationClock;

/// A command as bytes: what aya can read without a promise of ours.
type HeadBytes = [u8; size_of::<CommandHead>()];

/// The kernel's map of prepared statements, and what was told of clients' commands.
pub(super) struct KeptStatements {
    prepared: KernelHashMap<MapData, u64, HeadBytes>,
    clock: ObservationClock,
    statements: Statements,
    /// By socket, the sequence number of the command that was told last.
    told: HashMap<u64, u32>,
}

impl KeptStatements {
    pub(super) fn new(
        kernel: &Kernel,
        clock: ObservationClock,
        statements: Statements,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            prepared: kernel.take_map(name::PREPARED)?.try_into()?,
            clock,
            statements,
            told: HashMap::new(),
        })
    }

    /// What the client waits for, if it was not told yet, `last` being the command that its connection keeps.
    pub(super) fn news(&mut self, cookie: u64, last: &CommandHead) -> Option<Statement> {
        let prepared = self.prepared.get(&cookie, 0).ok().map(|bytes| bytemuck::pod_read_unaligned(&bytes));
        let last = Some(*last).filter(|last| last.length > 0);
        let last =
            last.filter(|last| prepared.is_none_or(|prepared| is_after(last, &prepared))).or(prepared)?;
        if self.told.insert(cookie, last.seq) == Some(last.seq) {
            return None;
        }
        let prepared = prepared.as_ref().map(|head| self.kept(head));
        statement(self.kept(&last), prepared, self.statements)
    }

    /// Keeps in mind what was told of these sockets alone.
    pub(super) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.told.retain(|cookie, _| is_there(*cookie));
    }

    /// This socket is gone.
    pub(super) fn forget(&mut self, cookie: u64) {
        self.told.remove(&cookie);
        // It may have prepared nothing.
        let _ = self.prepared.remove(&cookie);
    }

    fn kept<'a>(&self, head: &'a CommandHead) -> Kept<'a> {
        let length = usize::try_from(head.length).unwrap_or_default().min(head.bytes.len());
        Kept {
            at: self.clock.from_kernel(head.at),
            bytes: &head.bytes[..length],
            statement_id: head.statement_id,
        }
    }
}

/// Whether a command was sent after another of the same client.
fn is_after(one: &CommandHead, other: &CommandHead) -> bool {
    SeqNumber(one.seq).is_after(SeqNumber(other.seq))
}
