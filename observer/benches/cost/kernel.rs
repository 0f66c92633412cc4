//! Time of the two packet programs, each beside a program of its kind that does nothing: both look at the same
//! packets, and the kernel measures both (`run_time_ns` and `run_cnt` of bpf_prog_info).

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::actors::{Actors, Mix, Order};
use crate::harness::lab::Lab;
use crate::live::Live;
use crate::noop::Noop;
use crate::programs::{self, Direction, Id, Runs};
use crate::progress::Progress;
use crate::statistics::Spread;

/// How long one mix goes on in one round.
const TURN: Duration = Duration::from_millis(200);

/// What one program costs in one situation. Times are nanoseconds a packet.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    /// Whether the port is observed.
    pub(crate) matched: bool,
    /// What packets there were.
    pub(crate) mix: Mix,
    /// Which program.
    pub(crate) direction: Direction,
    /// The program that does nothing, the kernel's own measuring included.
    pub(crate) noop: Spread,
    /// What the observer's program takes above that in the same round.
    pub(crate) above_noop: Spread,
}

/// The situations: whether the port is observed, and the mix.
const SITUATIONS: [(bool, Mix); 4] =
    [(true, Mix::Streaming), (false, Mix::Streaming), (true, Mix::Queries), (false, Mix::Queries)];

/// Measures all situations in turn, round by round.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Vec<Cost>> {
    let progress = Progress::new("kernel programs");
    let lab = Lab::one_host()?;
    let (observed, other) = (lab.port, lab.port + 1);
    // Only the actors are in this cgroup: no other packet is measured.
    let cgroup = lab.client.cgroup();
    let mut noop = Noop::attach(cgroup)?;
    let live = Live::start(observed, Some(cgroup))?;
    let pairs = pairs(&mut noop, &live)?;
    let mut actors = Actors::start(&lab.client)?;
    for port in [observed, other] {
        actors.run(&Order::Serve { port, clients: 1 })?;
    }
    let _measuring = programs::enable_run_time()?;
    let mut seen: HashMap<(bool, Mix, Direction), Vec<(f64, f64)>> = HashMap::new();
    for round in 0..rounds {
        progress.round(round, rounds);
        for (matched, mix) in SITUATIONS {
            let before = programs::runs();
            let port = if matched { observed } else { other };
            actors.run(&Order::Ask { port, mix, time: TURN })?;
            let after = programs::runs();
            for pair in &pairs {
                seen.entry((matched, mix, pair.direction)).or_default().push(pair.compare(&before, &after)?);
            }
        }
    }
    live.stop()?;
    let situations = SITUATIONS
        .into_iter()
        .flat_map(|(matched, mix)| Direction::ALL.map(|direction| (matched, mix, direction)));
    let costs = situations.filter_map(|situation @ (matched, mix, direction)| {
        let (noop, above) = seen.remove(&situation)?.into_iter().unzip();
        Some(Cost { matched, mix, direction, noop: Spread::of(noop), above_noop: Spread::of(above) })
    });
    Ok(costs.collect())
}

/// A program of the observer and the one it is compared to.
struct Pair {
    direction: Direction,
    observer: Id,
    noop: Id,
}

/// Finds the observer's programs.
fn pairs(noop: &mut Noop, live: &Live) -> anyhow::Result<Vec<Pair>> {
    let pair = |direction: Direction| {
        let observer = programs::of_direction(&live.proc(), direction)?;
        Ok(Pair { direction, observer, noop: noop.id(direction)? })
    };
    Direction::ALL.into_iter().map(pair).collect()
}

impl Pair {
    /// Nanoseconds of the no-op, and of the observer's program above it.
    fn compare(&self, before: &HashMap<Id, Runs>, after: &HashMap<Id, Runs>) -> anyhow::Result<(f64, f64)> {
        let each = |id| {
            let nanos = before.get(id).zip(after.get(id)).and_then(|(&b, &a)| Runs::nanos_each(b, a));
            nanos.with_context(|| format!("a program for {} saw no packet", self.direction.name()))
        };
        let noop = each(&self.noop)?;
        Ok((noop, each(&self.observer)? - noop))
    }
}
