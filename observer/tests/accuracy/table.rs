//! The table: for people, and as JSON for programs.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use nix::sys::utsname::uname;
use observer_core::End;
use serde::Serialize;

use crate::judge::{Row, Way, name};

/// Everything that was judged.
#[derive(Serialize)]
pub(crate) struct Table {
    schema: &'static str,
    version: &'static str,
    kernel_release: String,
    cpus: usize,
    /// In how many rows something is wrong.
    missed: usize,
    rows: Vec<Row>,
}

impl Table {
    /// Of these rows.
    pub(crate) fn new(rows: Vec<Row>) -> anyhow::Result<Self> {
        let host = uname().context("asking for the kernel's release")?;
        Ok(Self {
            schema: "observer.accuracy/1",
            version: env!("CARGO_PKG_VERSION"),
            kernel_release: host.release().to_string_lossy().into_owned(),
            cpus: thread::available_parallelism().context("counting the CPUs")?.get(),
            missed: rows.iter().filter(|row| !row.misses.is_empty()).count(),
            rows,
        })
    }

    /// Whether nothing is wrong.
    pub(crate) fn holds(&self) -> bool {
        self.missed == 0
    }

    /// Writes JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self).context("writing JSON")?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, kernel_release, cpus, rows, missed, .. } = self;
        writeln!(f, "observer {version} on Linux {kernel_release}, {cpus} CPUs; times in seconds\n")?;
        writeln!(
            f,
            "{:<31}{:<8}{:<25}{:>7}{:>8}{:>16}{:>7}{:>8}",
            "", "", "", "warned", "abort", "width of range", "told", "false"
        )?;
        writeln!(
            f,
            "{:<31}{:<8}{:<25}{:>7}{:>8}{:>8}{:>8}{:>7}{:>8}  holds",
            "case", "server", "verdict", "before", "outside", "others", "server", "after", "alarms"
        )?;
        for rows in rows.chunk_by(|a, b| (a.case, a.server) == (b.case, b.server)) {
            print(rows, f)?;
        }
        let held = rows.len() - missed;
        writeln!(f, "\n{held} of {} hold", rows.len())
    }
}

/// One line for a case and a server, with the worst number of all vantages, and one for each miss.
fn print(rows: &[Row], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(Row { case, server: name_of_server, .. }) = rows.first() else { return Ok(()) };
    let mut verdicts: Vec<String> = Vec::new();
    for row in rows {
        let verdict = row.verdict.map_or_else(|| "-".to_owned(), |said| name(&said.kind));
        if !verdicts.contains(&verdict) {
            verdicts.push(verdict);
        }
    }
    let warned = rows.iter().filter_map(|row| row.warned_before).reduce(f64::min);
    let worst =
        |times: &mut dyn Iterator<Item = f64>| times.reduce(|a, b| if a.abs() < b.abs() { b } else { a });
    let outside = worst(&mut rows.iter().filter_map(|row| row.outside));
    let told = worst(&mut rows.iter().filter_map(|row| row.told_after));
    let alarms = rows.iter().filter(|row| row.false_alarm).count();
    // A capture from the server's end knows no more of it than one from the client's.
    let observer_at_server = |row: &&Row| row.end == End::Server && row.way == Way::Live;
    let (server, others): (Vec<_>, Vec<_>) = rows.iter().partition(observer_at_server);
    let width = |rows: &[&Row]| rows.iter().filter_map(|row| row.width).reduce(f64::max);
    let seconds = |time: Option<f64>| {
        // What is rounded to nothing has no sign.
        time.map_or_else(|| "-".to_owned(), |time| format!("{:.3}", (time * 1e3).round() / 1e3 + 0.0))
    };
    let held = rows.iter().filter(|row| row.misses.is_empty()).count();
    writeln!(
        f,
        "{case:<31}{name_of_server:<8}{:<25}{:>7}{:>8}{:>8}{:>8}{:>7}{alarms:>8}  {held}/{}",
        verdicts.join(", "),
        seconds(warned),
        seconds(outside),
        seconds(width(&others)),
        seconds(width(&server)),
        seconds(told),
        rows.len()
    )?;
    for row in rows {
        if row.guess {
            writeln!(
                f,
                "    {} {}: a guess, and said as one: probably lost; taken back",
                name(&row.end),
                name(&row.way)
            )?;
        }
        for miss in &row.misses {
            writeln!(f, "    {} {}: {miss}", name(&row.end), name(&row.way))?;
        }
    }
    Ok(())
}
