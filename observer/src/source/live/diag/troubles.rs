//! What does not work, told once when it begins and again only after it has worked in between.

use std::collections::HashSet;

use observer_core::{Event, EventKind, SourceEvent, Timestamp};

/// A part of the socket diagnostics that can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Asking at all.
    Diagnostics,
    /// Seeing into other network namespaces.
    Namespaces,
    /// Knowing every socket.
    Sockets,
    /// Keeping to one cgroup.
    Cgroups,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Diagnostics => "socket diagnostics",
            Self::Namespaces => "other network namespaces",
            Self::Sockets => "some sockets",
            Self::Cgroups => "cgroups of sockets",
        }
    }

    fn without(self) -> &'static str {
        match self {
            Self::Diagnostics => "unread and unsent bytes, and connections that were open before the start",
            Self::Namespaces => "socket diagnostics of connections in other containers",
            Self::Sockets => "the connections of these sockets",
            Self::Cgroups => "which sockets are in the cgroup",
        }
    }
}

/// The parts that were told not to work.
#[derive(Default)]
pub(super) struct Troubles {
    told: HashSet<Part>,
}

impl Troubles {
    /// Notes whether `part` works now: `because` is why not. The event to tell when that is news.
    pub(super) fn note(&mut self, part: Part, because: Option<String>, at: Timestamp) -> Option<Event> {
        let Some(because) = because else {
            self.told.remove(&part);
            return None;
        };
        self.told.insert(part).then(|| Event {
            at,
            kind: EventKind::Source(SourceEvent::Degraded {
                part: part.name().to_owned(),
                because,
                without: part.without().to_owned(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_once_and_again_after_it_worked() {
        let mut troubles = Troubles::default();
        let mut note = |because: Option<&str>| {
            troubles.note(Part::Diagnostics, because.map(str::to_owned), Timestamp::EPOCH).is_some()
        };
        assert!(!note(None));
        assert!(note(Some("refused")));
        assert!(!note(Some("refused")));
        assert!(!note(None));
        assert!(note(Some("refused again")));
    }
}
