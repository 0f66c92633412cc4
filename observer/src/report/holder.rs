//! Who had the socket of an end open, as a report tells it. Every text is clean.

use observer_core::{EndView, Owner, Process, Timestamp};
use serde::Serialize;

use crate::text::safe;

/// What is known of the process that acts at one end, the last one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Holder {
    pid: Option<u32>,
    comm: Option<String>,
    command: Option<String>,
    uid: Option<u32>,
    user: Option<String>,
    unit: Option<String>,
    container: Option<String>,
    pod: Option<String>,
    netns: Option<u64>,
    /// When it last read, as far as that was followed.
    last_read: Option<Timestamp>,
    /// The other processes that had the socket, as far as they are named.
    others: Vec<Other>,
    /// And so many more.
    more: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Other {
    pid: u32,
    comm: String,
}

impl Holder {
    /// `None` where nothing is known.
    pub(super) fn of(end: &EndView) -> Option<Self> {
        let acting = end.holder();
        let owners = end.owners.as_deref();
        if acting.is_none() && owners.is_none() {
            return None;
        }
        let details = end.holder_details();
        let text = |field: fn(&Owner) -> &Option<String>| {
            details.and_then(|owner| field(owner).as_deref()).map(clean)
        };
        // Without a process there is the socket's own user.
        let (uid, user) = match (details, owners) {
            (Some(owner), _) => (owner.uid, owner.user.as_deref()),
            (None, Some(owners)) => (owners.uid, owners.user.as_deref()),
            (None, None) => (None, None),
        };
        let others = owners.map_or(&[][..], |owners| &owners.processes).iter().map(|owner| &owner.process);
        let others = others.filter(|process| Some(process.pid) != acting.map(|acting| acting.pid));
        let read = end.wire.as_ref().and_then(|wire| wire.1.last_read.as_ref());
        Some(Self {
            pid: acting.map(|process| process.pid),
            comm: acting.map(|process| clean(&process.comm)),
            command: text(|owner| &owner.command),
            uid,
            user: user.map(clean),
            unit: text(|owner| &owner.unit),
            container: text(|owner| &owner.container),
            pod: text(|owner| &owner.pod),
            netns: details.and_then(|owner| owner.netns),
            last_read: read.map(|read| read.at),
            others: others.map(|Process { pid, comm, .. }| Other { pid: *pid, comm: clean(comm) }).collect(),
            more: owners.map_or(0, |owners| owners.more),
        })
    }

    /// In words, after `whose`: `client python3 4711, user etl, etl.service, command "python3 etl.py"`.
    pub(super) fn words(&self, whose: &str) -> String {
        let mut parts = Vec::new();
        parts.push(match (&self.comm, self.pid) {
            (Some(comm), Some(pid)) => format!("{whose} {comm} {pid}"),
            _ => format!("{whose}: process unknown"),
        });
        match (&self.user, self.uid) {
            (Some(user), _) => parts.push(format!("user {user}")),
            (None, Some(uid)) => parts.push(format!("uid {uid}")),
            (None, None) => {}
        }
        parts.extend([&self.container, &self.unit].into_iter().flatten().cloned());
        parts.extend(self.pod.as_ref().map(|pod| format!("pod {pod}")));
        parts.extend(self.netns.map(|netns| format!("network namespace {netns}")));
        parts.extend(self.command.as_ref().map(|command| format!("command \"{command}\"")));
        if !self.others.is_empty() || self.more > 0 {
            let mut others: Vec<_> =
                self.others.iter().map(|Other { pid, comm }| format!("{comm} {pid}")).collect();
            if self.more > 0 {
                others.push(format!("{} more", self.more));
            }
            parts.push(format!("also open in {}", others.join(" and ")));
        }
        parts.join(", ")
    }
}

fn clean(text: impl AsRef<str>) -> String {
    safe(text.as_ref()).into_owned()
}
