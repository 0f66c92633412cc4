//! Reading a large capture: `observer report`, and tshark looking for zero windows in the same file.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tempfile::TempDir;

use crate::packets;
use crate::progress::Progress;
use crate::statistics::Spread;

/// tshark takes ten seconds and more for each round.
const MOST_ROUNDS: u32 = 5;

/// How fast both read the same capture, whole programs from start to end.
#[derive(Debug, Serialize)]
pub(crate) struct Reading {
    /// Packets of the capture, headers only.
    pub(crate) packets: u64,
    /// Clients in it.
    pub(crate) clients: u32,
    /// How often both read it, in turn.
    pub(crate) rounds: u32,
    /// Packets a second of `observer report --format json`.
    pub(crate) observer: Spread,
    /// Packets a second of `tshark -Y tcp.analysis.zero_window`.
    pub(crate) tshark: Spread,
    /// The first by the second of the same round.
    pub(crate) ratio: Spread,
}

/// Makes the capture, and lets both read it in turn.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Reading> {
    let progress = Progress::new("reading a capture");
    let place = TempDir::with_prefix("observer-bench-").context("making a temporary directory")?;
    let path = place.path().join("capture.pcap");
    let packets = packets::write(&path)?;
    let rounds = rounds.min(MOST_ROUNDS);
    let (mut observer, mut tshark, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        progress.round(round, rounds);
        let mut report = Command::new(env!("CARGO_BIN_EXE_observer"));
        report.args(["report", "--format", "json"]).arg(&path);
        let ours = rate(packets, &mut report, |text| {
            let report: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            report["connections"].as_array().map_or(0, Vec::len)
        })?;
        let mut analysis = Command::new("tshark");
        analysis.args(["-n", "-Y", "tcp.analysis.zero_window", "-r"]).arg(&path);
        let theirs = rate(packets, &mut analysis, |text| text.lines().count())?;
        observer.push(ours);
        tshark.push(theirs);
        ratio.push(ours / theirs);
    }
    let [observer, tshark, ratio] = [observer, tshark, ratio].map(Spread::of);
    Ok(Reading { packets, clients: packets::CLIENTS, rounds, observer, tshark, ratio })
}

/// Packets a second of a program that reads the capture, from its start to its end. `found` counts what it has told.
fn rate(packets: u64, program: &mut Command, found: fn(&str) -> usize) -> anyhow::Result<f64> {
    let name = program.get_program().to_string_lossy().into_owned();
    let since = Instant::now();
    let output = program
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {name}; `cargo xtask setup` installs what the bench needs"))?;
    let elapsed = since.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    // Both have something to tell: a program that has not understood the capture is fast.
    let told = found(&String::from_utf8_lossy(&output.stdout));
    let there = packets::STALLED_CLIENTS;
    ensure!(told >= there, "{name} tells of {told} of {there} that stand still");
    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    Ok(packets as f64 / elapsed)
}
