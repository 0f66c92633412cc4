//! Traffic that comes at a pace of its own, not as fast as the host can: whether it keeps that pace beside the observer, and
//! how much of its CPU it takes to.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cpus::Halves;
use crate::crowd::Crowd;
use crate::datagrams::Datagrams;
use crate::live::Live;
use crate::statistics::Spread;

/// Short connections a second, and how long they come: 50,000 in all.
const CONNECTIONS: f64 = 10_000.0;
const BURST: Duration = Duration::from_secs(5);
/// Of these so many one after the other, between two looks at the clock.
const AT_ONCE: usize = 10;

/// Packets of another port a second, and how long they come.
const PACKETS: f64 = 1_000_000.0;
const TURN: Duration = Duration::from_secs(1);
/// Of these so many at least between two looks at the clock.
const TOGETHER: u64 = 1_000;

/// Who is ahead of the pace sleeps so long.
const REST: Duration = Duration::from_millis(1);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Paced {
    connections: Kept,
    packets: Kept,
}

/// How a pace was kept.
#[derive(Debug, Serialize)]
struct Kept {
    /// What was to come, a second.
    pace: f64,
    /// What has come: with nobody, and with the observer.
    per_second: [Spread; 2],
    /// By those with nobody before and after.
    ratio: Spread,
    /// The part of the time in which who makes them did not sleep.
    busy: [Spread; 2],
}

impl Paced {
    /// The lowest of the ratios; none where this host does not keep the pace by itself.
    pub(crate) fn ratio(&self) -> Option<Spread> {
        let kept = [&self.connections, &self.packets].into_iter().filter(|kept| kept.is_kept());
        kept.map(|kept| kept.ratio).min_by(|one, other| one.median.total_cmp(&other.median))
    }
}

impl Kept {
    /// Whether nobody watching is no hindrance.
    fn is_kept(&self) -> bool {
        self.per_second[0].median >= 0.999 * self.pace
    }
}

/// Measures in turn, round by round.
pub(crate) fn measure(rounds: u32, crowd: &mut Crowd, cpus: &Halves) -> anyhow::Result<Paced> {
    let port = crowd.port();
    let connections = kept(rounds, port, CONNECTIONS, || {
        keep(CONNECTIONS, BURST, || {
            crowd.burst(AT_ONCE)?;
            Ok(AT_ONCE as u64)
        })
    })?;
    let datagrams = Datagrams::new()?;
    let packets = kept(rounds, port, PACKETS, || {
        cpus.as_client(|| keep(PACKETS, TURN, || datagrams.send_while(|sent| sent < TOGETHER)))
    })?;
    Ok(Paced { connections, packets })
}

/// A turn gives what has come a second, and how busy who made it was.
fn kept(
    rounds: u32,
    port: u16,
    pace: f64,
    mut turn: impl FnMut() -> anyhow::Result<(f64, f64)>,
) -> anyhow::Result<Kept> {
    let [mut per_second, mut busy] = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let before = turn()?;
        let live = Live::start(port, None)?;
        let watched = turn()?;
        live.stop()?;
        let after = turn()?;
        let usual = (f64::midpoint(before.0, after.0), f64::midpoint(before.1, after.1));
        for (at, (rate, share)) in [usual, watched].into_iter().enumerate() {
            per_second[at].push(rate);
            busy[at].push(share);
        }
        ratios.push(watched.0 / usual.0);
    }
    Ok(Kept {
        pace,
        per_second: per_second.map(Spread::of),
        ratio: Spread::of(ratios),
        busy: busy.map(Spread::of),
    })
}

/// Lets `some` come, which gives how many they are, as often as the pace wants; as often as it can where that is less.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn keep(
    pace: f64,
    time: Duration,
    mut some: impl FnMut() -> anyhow::Result<u64>,
) -> anyhow::Result<(f64, f64)> {
    let since = Instant::now();
    let (mut come, mut last, mut slept) = (0, Duration::ZERO, Duration::ZERO);
    loop {
        let elapsed = since.elapsed();
        if come as f64 <= pace * elapsed.min(time).as_secs_f64() && last < time {
            come += some()?;
            last = since.elapsed();
        } else if elapsed < time {
            let before = Instant::now();
            thread::sleep(REST);
            slept += before.elapsed();
        } else {
            break;
        }
    }
    // Whoever is late comes to less in that time; the rest of the last sleep is none of it.
    let took = last.max(time).as_secs_f64();
    Ok((come as f64 / took, 1.0 - slept.as_secs_f64() / since.elapsed().as_secs_f64()))
}

impl fmt::Display for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, kept) in
            [("short connections", &self.connections), ("packets of another port", &self.packets)]
        {
            let Kept { pace, per_second: [nobody, observer], ratio, busy: [alone, watched] } = kept;
            writeln!(f, "  {what} that come at {pace:.0} a second")?;
            writeln!(
                f,
                "    nobody              {nobody:.0}, busy for {:.1} % of the time",
                100.0 * alone.median
            )?;
            writeln!(
                f,
                "    observer            {observer:.0}, busy for {:.1} %; ratio {ratio:.3}",
                100.0 * watched.median
            )?;
        }
        Ok(())
    }
}
