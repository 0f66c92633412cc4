//! Whether the server went on when it ended a connection.

use crate::verdict::facts::Facts;

/// What became of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its other connections went on.
    Lives,
    /// It shut down.
    ShutDown,
    /// It died.
    Crashed,
    /// It ended all its connections; in which way cannot be told.
    Gone,
    /// Nothing is known of other connections.
    Unknown,
}

/// So many connections that end at once, with no sign of life after it, are hardly killed one by one.
pub(super) const MANY: u32 = 2;

/// Tells it from the other connections of the server.
///
/// mysqld tells running statements of a shutdown (error 1053) and closes what is left two seconds later; when it dies,
/// all its connections end within some milliseconds, and results are cut off. mariadbd closes all of them at once in
/// either case: that looks alike. A few may stay open for a while, as long as their clients drain what was sent.
pub(super) fn fate(facts: &Facts<'_>) -> Fate {
    let Some(others) = facts.siblings() else { return Fate::Unknown };
    let most_ended = others.ended > others.open;
    // MariaDB cuts results off at a shutdown too.
    let dies = (others.cut || facts.fin().and_then(|fin| fin.in_result) == Some(true))
        && facts.resets_at_timeout() == Some(false);
    if others.alive {
        Fate::Lives
    } else if others.shutdown && others.ended > 0 {
        Fate::ShutDown
    } else if most_ended && dies {
        Fate::Crashed
    } else if most_ended && others.at_once >= MANY {
        Fate::Gone
    } else if others.open > 0 {
        Fate::Lives
    } else {
        Fate::Unknown
    }
}
