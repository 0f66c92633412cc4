//! A connection's story on an axis of time, in ASCII, and as a list of moments.
//!
//! ```text
//!   seconds           0        10        20        30        40        50        60
//!                     |---------|---------|---------|---------|---------|---------|
//!   window closed     [=============================================================>
//!   probes            !! ! !  !     !            !                           !
//!   net_write_timeout                                                       # +60.0 s
//! ```

use std::time::Duration;

use observer_core::{Seconds, TimeRange, Timestamp};

use super::account::{Account, Gap, Mark, Stall};
use super::ticks::step;
use super::words::{WIDTH, date_and_time, happened, is_same_day, time_of_day};

/// Where the axis begins: the labels stand left of it.
const LEFT: usize = 20;
/// Cells of the axis.
const CELLS: usize = WIDTH - LEFT;
/// Distances of ticks there are at most, so that the labels have room.
const TICKS: u32 = 9;
/// Stalls told one by one in the list of moments besides the one that counts: the last ones.
const STALLS_TOLD: usize = 3;

/// After the beginning of an observation, what was there before it is met within this time.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// The picture; empty for a connection that never stood still.
pub(super) fn picture(account: &Account) -> Vec<String> {
    let Some(axis) = Axis::of(account) else { return Vec::new() };
    let mut lines = axis.scale();
    lines.push(row("window closed", &axis.stalls(account)));
    lines.extend(axis.probes(account).map(|cells| row("probes", &cells)));
    let unobserved = account.gaps.iter().filter(|gap| gap.to >= axis.start);
    lines.extend(unobserved.filter_map(|gap| Some(row("not observed", &axis.gap(gap)?))));
    if let Some(deadline) = deadline(account) {
        lines.push(row("net_write_timeout", &axis.range(deadline)));
    }
    for (mark, label) in ROWS {
        if let Some(at) = account.marks.get(mark).filter(|at| **at >= axis.start) {
            lines.push(row(label, &axis.range(TimeRange { earliest: *at, latest: *at })));
        }
    }
    lines
}

/// The marks that have a row of their own.
pub(super) const ROWS: &[(Mark, &str)] = &[
    (Mark::GaveUp, "server gives up"),
    (Mark::ServerFin, "server's FIN"),
    (Mark::ServerReset, "server's RST"),
    (Mark::ClientFin, "client's FIN"),
    (Mark::ClientReset, "client's RST"),
    (Mark::ApplicationClosed, "application ends"),
    (Mark::EventsLost, "events lost"),
];

fn row(label: &str, cells: &str) -> String {
    format!("  {label:<18}{}", cells.trim_end()).trim_end().to_owned()
}

/// When the server gave up, or would have.
pub(super) fn deadline(account: &Account) -> Option<TimeRange> {
    account.abort.or_else(|| account.main_stall()?.deadline)
}

/// A piece of time on a row of cells.
pub(super) struct Axis {
    /// The zero of all distances.
    pub(super) start: Timestamp,
    /// How much time it shows.
    pub(super) span: Duration,
}

impl Axis {
    /// From the beginning of the stall that counts, or of those shortly before it, to the last thing that happened;
    /// what comes much later is left to the edge.
    pub(super) fn of(account: &Account) -> Option<Self> {
        let main = account.main_stall()?;
        let deadline = deadline(account).map_or(main.start, |range| range.latest);
        let main_end = main.end.unwrap_or(account.last_seen).max(deadline);
        let length = main_end.since(main.start).max(Duration::from_secs(1));
        let shortly_before = main.start - length.saturating_mul(2);
        let start = account.stalls.iter().map(|stall| stall.start).find(|start| *start >= shortly_before)?;
        let ends = account.stalls.iter().filter_map(|stall| stall.end);
        let last = ends.chain(account.marks.values().copied()).chain([main_end]).max()?;
        let longest = main_end.since(start) + length.saturating_mul(2);
        Some(Self { start, span: last.since(start).min(longest).max(Duration::from_millis(10)) })
    }

    /// The cell of a moment; `None` beyond the right edge.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a few cells, between 0 and 1"
    )]
    fn cell(&self, at: Timestamp) -> Option<usize> {
        let share = at.since(self.start).as_secs_f64() / self.span.as_secs_f64();
        // What falls on the edge by rounding is on it.
        (share <= 1.0 + 1e-6).then(|| (share.min(1.0) * (CELLS - 1) as f64).round() as usize)
    }

    /// The labels of the axis and the axis.
    fn scale(&self) -> Vec<String> {
        let (step, unit) = step(self.span, TICKS);
        let (mut labels, mut ticks) = (String::new(), "-".repeat(CELLS));
        let mut time = Duration::ZERO;
        while let Some(cell) = self.cell(self.start + time).filter(|_| time <= self.span) {
            ticks.replace_range(cell..=cell, "|");
            let label = unit.label(time);
            if labels.len() <= cell && cell + label.len() <= CELLS {
                labels.push_str(&" ".repeat(cell - labels.len()));
                labels.push_str(&label);
            }
            time += step;
        }
        vec![row(unit.word(), &labels), row("", &ticks)]
    }

    fn stalls(&self, account: &Account) -> String {
        let mut cells = [b' '; CELLS];
        for stall in account.stalls.iter().filter(|stall| stall.start >= self.start) {
            let Some(from) = self.cell(stall.start) else { continue };
            let to = stall.end.map_or(Some(CELLS - 1), |end| self.cell(end));
            let until = to.unwrap_or(CELLS - 1).max(from);
            cells[from..=until].fill(b'=');
            cells[from] = b'[';
            let goes_on = stall.end.is_none() || to.is_none();
            if until > from || goes_on {
                cells[until] = if goes_on { b'>' } else { b']' };
            }
        }
        String::from_utf8_lossy(&cells).into_owned()
    }

    /// Probes, where they were seen one by one.
    fn probes(&self, account: &Account) -> Option<String> {
        let mut cells = [b' '; CELLS];
        let stalls = account.stalls.iter().filter(|stall| stall.start >= self.start);
        let probes: Vec<_> = stalls.flat_map(|stall| &stall.probed_at).collect();
        for cell in probes.iter().filter_map(|at| self.cell(**at)) {
            cells[cell] = b'!';
        }
        (!probes.is_empty()).then(|| String::from_utf8_lossy(&cells).into_owned())
    }

    /// A time in which nothing was observed; `None` where it is not on the axis.
    fn gap(&self, gap: &Gap) -> Option<String> {
        let first = self.cell(gap.from)?;
        let last = self.cell(gap.to).unwrap_or(CELLS - 1);
        Some(format!("{:first$}{}", "", "?".repeat(last + 1 - first)))
    }

    /// A moment or a range, with its distance from the beginning beside it.
    fn range(&self, range: TimeRange) -> String {
        let distance = |at: Timestamp| format!("+{}", Seconds(at.since(self.start)));
        let (from, to) = (distance(range.earliest), distance(range.latest));
        let text = if from == to { from } else { format!("{} to {to}", from.trim_end_matches(" s")) };
        let (first, last) = match (self.cell(range.earliest), self.cell(range.latest)) {
            (Some(first), Some(last)) => (first, last),
            (Some(first), None) => (first, CELLS - 1),
            (None, _) => return format!("{:>width$}", format!("{text} >"), width = CELLS),
        };
        let sign = if first == last { "#".to_owned() } else { format!("[{}]", "#".repeat(last - first - 1)) };
        // Beside it, on whichever side there is room.
        if last + 2 + text.len() <= CELLS {
            format!("{:first$}{sign} {text}", "")
        } else if text.len() < first {
            format!("{:>width$} {sign}", text, width = first - 1)
        } else {
            format!("{:first$}{sign}", "")
        }
    }
}

/// What happened, and when.
pub(super) struct Told {
    /// The time of day, with the date where there is more than one.
    pub(super) time: String,
    /// The distance from the beginning of the axis: `+60.0 s`; empty before it.
    pub(super) distance: String,
    /// What, in a few words.
    pub(super) what: String,
}

/// The moments in their order.
pub(super) fn moments(account: &Account) -> Vec<Told> {
    let start = Axis::of(account).map(|axis| axis.start);
    let main = account.main_stall();
    let of_stall = |stall| of_stall(stall, account);
    let mut moments: Vec<(Timestamp, String)> = main.map(of_stall).unwrap_or_default();
    let others = account.stalls.iter().filter(|stall| main.is_none_or(|main| main.start != stall.start));
    let untold = account.stalls_left_out + (others.clone().count().saturating_sub(STALLS_TOLD)) as u64;
    moments.extend(others.rev().take(STALLS_TOLD).flat_map(of_stall));
    moments.extend(account.moments().map(|(mark, at)| (at, happened(mark, account))));
    moments.extend(account.gaps.iter().flat_map(|gap| {
        let length = Seconds(gap.to.since(gap.from));
        [
            (gap.from, format!("the observation ends: what happens in the next {length} is not known")),
            (gap.to, "another observation begins".to_owned()),
        ]
    }));
    moments.sort_by_key(|(at, _)| *at);
    let ends = moments.first().zip(moments.last());
    let in_one_day = ends.is_none_or(|((first, _), (last, _))| is_same_day(*first, *last));
    let mut told: Vec<_> = moments
        .into_iter()
        .map(|(at, what)| {
            let since = start.filter(|start| at >= *start).map(|start| at.since(start));
            let distance = since.map_or_else(String::new, |since| format!("+{}", Seconds(since)));
            Told { time: if in_one_day { time_of_day(at) } else { date_and_time(at) }, distance, what }
        })
        .collect();
    if untold > 0 {
        let times = if untold == 1 { "once more".to_owned() } else { format!("{untold} more times") };
        let what = format!("besides, the window closes {times}");
        told.push(Told { time: String::new(), distance: String::new(), what });
    }
    told
}

fn of_stall(stall: &Stall, account: &Account) -> Vec<(Timestamp, String)> {
    // What an observation meets at its beginning, began before it.
    let is_met =
        account.gaps.iter().any(|gap| stall.start >= gap.to && stall.start.since(gap.to) < FIRST_LOOK);
    let begins = if is_met {
        "the client's window is found closed; since when is not known"
    } else {
        "the client's window closes: its receive buffer is full"
    };
    let mut moments = vec![(stall.start, begins.to_owned())];
    if let Some(first) = stall.probed_at.first() {
        let what = match stall.probes.max(1) {
            1 => "the server probes the closed window".to_owned(),
            probes => format!("the server probes the closed window, the first of {probes} times"),
        };
        moments.push((*first, what));
    }
    if let Some(end) = stall.end.filter(|_| stall.reopened) {
        moments.push((end, "the client reads: its window opens".to_owned()));
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_ticks_of_any_span() {
        for millis in [10, 99, 1_000, 9_999, 59_000, 61_000, 600_000, 7_200_000, 86_400_000, 10_000_000_000] {
            let axis = Axis { start: Timestamp::EPOCH, span: Duration::from_millis(millis) };
            let lines = axis.scale();
            let ticks = lines[1].matches('|').count();
            assert!((2..=11).contains(&ticks), "{millis} ms: {ticks} ticks");
            assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:#?}");
        }
    }

    #[test]
    fn a_range_fits_whereever_it_lies() {
        let axis = Axis { start: Timestamp::EPOCH, span: Duration::from_secs(100) };
        for earliest in 0..120 {
            for width in [0, 1, 5, 90] {
                let at = |seconds| Timestamp::EPOCH + Duration::from_secs(seconds);
                let cells = axis.range(TimeRange { earliest: at(earliest), latest: at(earliest + width) });
                assert!(cells.len() <= CELLS, "{cells:?}");
                assert!(cells.contains(['#', '[', '>']), "{cells:?}");
            }
        }
    }
}
