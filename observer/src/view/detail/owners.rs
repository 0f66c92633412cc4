//! Who has the socket of an end open, by name.

use std::sync::Arc;

use observer_core::{EndView, Owner};

use super::facts::Fact;
use crate::text::safe;

/// What the facts of one end are called.
#[derive(Clone, Copy)]
pub(super) struct Names {
    user: &'static str,
    unit: &'static str,
    container: &'static str,
    pod: &'static str,
    cgroup: &'static str,
    command: &'static str,
    netns: &'static str,
    also: &'static str,
}

/// Those of the end that reads.
pub(super) const OF_READER: Names = Names {
    user: "system user",
    unit: "unit",
    container: "container",
    pod: "pod",
    cgroup: "cgroup",
    command: "command line",
    netns: "netns",
    also: "also open in",
};

/// Those of the server's end.
pub(super) const OF_SERVER: Names = Names {
    user: "server runs as",
    unit: "server unit",
    container: "server container",
    pod: "server pod",
    cgroup: "server cgroup",
    command: "server command",
    netns: "server netns",
    also: "server also",
};

/// What is known of the process that acts at `end`, and which others have its socket.
pub(super) fn facts(end: &EndView, names: Names) -> Vec<Fact> {
    let Some(owners) = &end.owners else { return Vec::new() };
    let details = end.holder_details();
    let mut facts = Vec::new();
    let mut add =
        |name, value: Option<&str>| facts.extend(value.map(|value| (name, safe(value).into_owned())));
    let (name, uid) = match details {
        Some(owner) => (&owner.user, owner.uid),
        // Nothing but the socket's own user.
        None => (&owners.user, owners.uid),
    };
    let user = name.clone().or_else(|| uid.map(|uid| format!("uid {uid}")));
    add(names.user, user.as_deref());
    if let Some(owner) = details {
        add(names.container, owner.container.as_deref());
        add(names.pod, owner.pod.as_deref());
        add(names.unit, owner.unit.as_deref());
        if owner.container.is_none() && owner.unit.is_none() {
            add(names.cgroup, owner.place());
        }
        add(names.command, owner.command.as_deref());
        add(names.netns, owner.netns.map(|netns| netns.to_string()).as_deref());
    }
    add(names.also, others(end, &owners.processes, owners.more).as_deref());
    facts
}

/// The other processes: `python3 4712, sh 4713 and 3 more`.
fn others(end: &EndView, owners: &[Arc<Owner>], more: u32) -> Option<String> {
    let acts = end.holder().map(|holder| holder.pid);
    let others = owners.iter().map(|owner| &owner.process).filter(|process| Some(process.pid) != acts);
    let named: Vec<_> = others.map(|process| format!("{} {}", process.comm, process.pid)).collect();
    match (named.is_empty(), more) {
        (true, 0) => None,
        (true, more) => Some(format!("{more} more")),
        (false, 0) => Some(named.join(", ")),
        (false, more) => Some(format!("{} and {more} more", named.join(", "))),
    }
}
