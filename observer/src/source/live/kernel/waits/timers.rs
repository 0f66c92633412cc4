//! Since when a thread has waited with a timeout.
//!
//! The kernel keeps a timer for it, which `/proc/timer_list` shows with the moment it runs out, on `CLOCK_MONOTONIC`: the
//! timeout before that the wait began. Whose timer it is is not shown. But `poll` gives it a slack that belongs to the
//! timeout (`select_estimate_accuracy`, fs/select.c), and when the thread went to sleep its `sched` file tells nearly,
//! by the clock of its CPU (`rq_clock_task`), which leaves out what a hypervisor and interrupts have taken.

use std::collections::HashMap;
use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// A thread went to sleep so long after its timer was set, in nanoseconds: the two clocks may have drifted apart since.
const NEAR: u64 = 50_000_000;

/// And by a quarter of the time since then, which a hypervisor or interrupts may have taken.
const DRIFT: u64 = 4;

/// What is told is no wider than this: otherwise the samples of the socket may know better.
const WIDEST: u64 = 100_000_000;

/// A timer that wakes a thread. Times are in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    runs_out: u64,
    slack: u64,
}

/// All timers of the host that wake threads; none where they are not shown.
pub(super) fn read() -> Vec<Timer> {
    fs::read_to_string("/proc/timer_list").map(|text| parse(&text)).unwrap_or_default()
}

/// ` #1: <0000000052a8b7ad>, hrtimer_wakeup, S:01` and in the next line
/// ` # expires at 27685935539901-27685935589901 nsecs [in …]`.
fn parse(text: &str) -> Vec<Timer> {
    let mut wakes = false;
    let mut timers = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if let Some(times) = line.strip_prefix("# expires at ").filter(|_| wakes) {
            let mut ends = times.split([' ', '-']).map_while(|end| end.parse::<u64>().ok());
            if let (Some(runs_out), Some(latest)) = (ends.next(), ends.next()) {
                timers.push(Timer { runs_out, slack: latest.saturating_sub(runs_out) });
            }
        }
        wakes = line.contains("hrtimer_wakeup");
    }
    timers
}

/// When a wait of `timeout` nanoseconds began, not before and not after, by the timers and by when its thread went to
/// sleep.
pub(super) fn begun(
    timers: &[Timer],
    timeout: u64,
    asleep_since: Option<u64>,
    now: u64,
) -> Option<(u64, u64)> {
    let fitting = timers.iter().filter(|timer| fits(timer.slack, timeout));
    let starts = fitting.filter_map(|timer| timer.runs_out.checked_sub(timeout));
    let mut starts: Vec<u64> = starts.filter(|start| *start <= now).collect();
    if let Some(asleep) = asleep_since {
        let nearest = starts.iter().copied().min_by_key(|start| start.abs_diff(asleep))?;
        // Where none is near, its timer has a slack of its own, as those of real-time threads.
        if nearest.abs_diff(asleep) > NEAR + now.saturating_sub(asleep) / DRIFT {
            return None;
        }
        starts.retain(|start| start.abs_diff(nearest) <= NEAR);
    }
    let (earliest, latest) = (*starts.iter().min()?, *starts.iter().max()?);
    (latest - earliest <= WIDEST).then_some((earliest, latest))
}

/// Whether `poll` gives a timer this slack for this timeout: a thousandth of it, for a nice thread a two hundredth, a
/// tenth of a second at most; a little less, as some of the time has passed by then.
fn fits(slack: u64, timeout: u64) -> bool {
    const MOST: u64 = 100_000_000;
    const PASSED: u64 = 1_000_000;
    [1000, 200].iter().any(|part| {
        let whole = (timeout / part).min(MOST);
        (whole.saturating_sub(PASSED / part).saturating_sub(1)..=whole).contains(&slack)
    })
}

/// Now, in nanoseconds of `CLOCK_MONOTONIC`.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from);
    time.ok().and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or(0)
}

/// The clocks of the CPUs, by which threads go to sleep.
#[derive(Default)]
pub(super) struct CpuClocks {
    /// How far each is behind `CLOCK_MONOTONIC`; `None` where that cannot be found out.
    behind: HashMap<usize, Option<i64>>,
}

impl CpuClocks {
    /// When a sleeping thread ran last, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) fn asleep_since(&mut self, pid: u32, tid: u32) -> Option<u64> {
        let task = format!("/proc/{pid}/task/{tid}");
        let ran = exec_start(&fs::read_to_string(format!("{task}/sched")).ok()?)?;
        let cpu = last_cpu(&fs::read_to_string(format!("{task}/stat")).ok()?)?;
        let behind = *self.behind.entry(cpu).or_insert_with(|| behind(cpu));
        ran.checked_add_signed(behind?)
    }
}

/// How far the clock of a CPU is behind: the calling thread goes there to look at its own.
fn behind(cpu: usize) -> Option<i64> {
    let this = Pid::from_raw(0);
    let usual = sched_getaffinity(this).ok()?;
    let mut there = CpuSet::new();
    there.set(cpu).ok()?;
    sched_setaffinity(this, &there).ok()?;
    // It has just begun to run there, or goes on to.
    std::thread::yield_now();
    let own = fs::read_to_string("/proc/thread-self/sched").ok();
    let behind = own.and_then(|own| now().checked_signed_diff(exec_start(&own)?));
    // Where it ran before it may run again.
    sched_setaffinity(this, &usual).ok()?;
    behind
}

/// `se.exec_start : 27426748.898503`, in milliseconds.
fn exec_start(sched: &str) -> Option<u64> {
    let line = sched.lines().find(|line| line.starts_with("se.exec_start"))?;
    let (millis, rest) = line.rsplit(':').next()?.trim().split_once('.')?;
    let nanos = rest.get(..6)?.parse::<u64>().ok()?;
    millis.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(nanos)
}

/// The 39th field of `stat`; the second, a name in parentheses, may have spaces.
fn last_cpu(stat: &str) -> Option<usize> {
    stat.rsplit(')').next()?.split_whitespace().nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "Timer List Version: v0.10
cpu: 0
active timers:
 #0: <00000000c7898875>, tick_nohz_handler, S:01
 # expires at 27685924000000-27685924000000 nsecs [in 3011570 to 3011570 nsecs]
 #1: <000000005b2a91df>, hrtimer_wakeup, S:01
 # expires at 68000000000-68059999000 nsecs [in 14551471 to 14601471 nsecs]
 #2: <000000001612efec>, hrtimer_wakeup, S:01
 # expires at 66000000000-66000050000 nsecs [in 32051311 to 32101311 nsecs]
 #3: < #1: <000000005b2a91df>, hrtimer_wakeup, S:01
";

    #[test]
    fn timers_that_wake_threads_are_read() {
        let timers = parse(LIST);
        assert_eq!(
            timers,
            [
                Timer { runs_out: 68_000_000_000, slack: 59_999_000 },
                Timer { runs_out: 66_000_000_000, slack: 50_000 }
            ]
        );
        // Only one has the slack of a poll of 60 s.
        assert_eq!(begun(&timers, 60_000_000_000, None, 9_000_000_000), Some((8_000_000_000, 8_000_000_000)));
        assert_eq!(begun(&timers, 30_000_000_000, None, 9_000_000_000), None);
        assert_eq!(begun(&timers, 60_000_000_000, None, 7_000_000_000), None, "it begins later");
    }

    #[test]
    fn of_several_the_one_counts_that_was_set_when_the_thread_fell_asleep() {
        let timer = |start: u64| Timer { runs_out: start + 60_000_000_000, slack: 60_000_000 };
        let timers = [timer(1_000_000_000), timer(3_000_000_000), timer(3_020_000_000), timer(5_000_000_000)];
        let begun = |asleep| begun(&timers, 60_000_000_000, asleep, 9_000_000_000);
        assert_eq!(begun(Some(1_010_000_000)), Some((1_000_000_000, 1_000_000_000)));
        assert_eq!(begun(Some(3_001_000_000)), Some((3_000_000_000, 3_020_000_000)));
        assert_eq!(begun(None), None, "they are too far apart");
        assert_eq!(begun(Some(1_800_000_000)), Some((1_000_000_000, 1_000_000_000)), "a busy hypervisor");
        assert_eq!(begun(Some(7_000_000_000)), None, "its own is not among them");
    }

    #[test]
    fn slack_belongs_to_the_timeout() {
        assert!(fits(6_000_000, 6_000_000_000) && fits(5_999_995, 6_000_000_000));
        assert!(fits(30_000_000, 6_000_000_000), "a nice thread");
        assert!(fits(100_000_000, 600_000_000_000), "a long one");
        assert!(!fits(50_000, 6_000_000_000));
    }

    #[test]
    fn own_times_are_read() {
        assert_eq!(exec_start("x\nse.exec_start      :      27426748.898503\n"), Some(27_426_748_898_503));
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        assert!(last_cpu(&stat).is_some());
        assert_eq!(last_cpu("1 (a ) b) S 2"), None);
    }
}
