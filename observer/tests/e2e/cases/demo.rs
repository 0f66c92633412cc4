//! `observer demo`: what it finds agrees with what its actors say they did, in lines and in the view.

use std::iter;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use observer_core::Timestamp;

use super::{CLOSE, ensure_close};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::names::temporary_directory;
use crate::harness::observer::unprivileged;
use crate::harness::process::Process;
use crate::harness::pty::{self, Pty};
use crate::harness::server::stamp;

pub(crate) fn plain(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::one_host()?;
    let mut command = lab.client.command(env!("CARGO_BIN_EXE_observer"));
    let mut demo = Process::spawn("the demo", command.args(["demo", "--plain"]))?;
    let status = demo.wait()?;
    let (found, told) = (demo.stdout.all(), demo.stderr.all());
    ensure!(status.success(), "{status}: {told:#?}");

    let about = |actor: &str| -> anyhow::Result<Vec<&str>> {
        let address = address_of(actor, &told).with_context(|| format!("{actor}: {told:#?}"))?.to_string();
        Ok(found.iter().filter(|line| line.contains(&address)).map(String::as_str).collect())
    };
    let severities = |lines: &[&str]| -> Vec<String> {
        lines.iter().filter_map(|line| Some(line.split("  ").nth(2)?.to_owned())).collect()
    };
    let export = about("export")?;
    ensure!(
        severities(&export) == ["notice", "warning", "critical", "lost", "lost", "notice", "notice"],
        "{export:#?}"
    );
    let report = about("report")?;
    ensure!(severities(&report) == ["notice", "warning", "notice", "notice"], "{report:#?}");
    for actor in ["dashboard", "lookup"] {
        let lines = about(actor)?;
        ensure!(lines.is_empty(), "nothing is wrong with {actor}: {lines:#?}");
    }

    let aborted = line_of("server", "has waited", &told).context("the server gives up")?;
    ensure_close("lost", stamp(export[3])?, aborted, CLOSE)?;
    let failed = line_of("export", "fails after", &told).context("the client fails")?;
    ensure!(stamp(export[4])? < failed, "the FIN is seen before the application comes to it: {export:#?}");
    Ok(())
}

/// On polling alone, as another user: less precise, but nothing of the story is missed.
pub(crate) fn without_privilege(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::one_host()?;
    let place = temporary_directory()?;
    let mut command = unprivileged(&lab.client, place.path())?;
    let mut demo = Process::spawn("the demo", command.args(["demo", "--plain"]))?;
    let status = demo.wait()?;
    let (found, told) = (demo.stdout.all(), demo.stderr.all());
    ensure!(status.success(), "{status}: {told:#?}");
    ensure!(told.iter().any(|line| line.contains("Without kernel programs (no permission")), "{told:#?}");

    let ensure_found = |actor: &str, words: &str| {
        let address = address_of(actor, &told).with_context(|| format!("{actor}: {told:#?}"))?.to_string();
        let found_it = found.iter().any(|line| line.contains(&address) && line.contains(words));
        ensure!(found_it, "{words:?} of {actor}, {address}, is not among {found:#?}");
        Ok(())
    };
    ensure_found("report", "has stopped reading")?;
    ensure_found("report", "reads again")?;
    ensure_found("export", "has stopped reading")?;
    ensure_found("export", "mysqld has dropped")
}

/// In a terminal the view stays when the story has ended.
pub(crate) fn view(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::one_host()?;
    let mut command = lab.client.command(env!("CARGO_BIN_EXE_observer"));
    command.arg("demo");
    let words: Vec<_> = iter::once(command.get_program()).chain(command.get_args()).collect();
    let words = words.into_iter().map(|word| word.to_str().context("a word of the command"));
    let mut demo = Pty::spawn(pty::command(&words.collect::<anyhow::Result<Vec<_>>>()?), 80, 24);
    demo.wait_for("has stopped reading");
    demo.wait_for("mysqld has dropped");
    // Every client has left: the last of them is the one whose connection was lost.
    demo.wait_for(" 0 conns");
    demo.type_keys("?");
    demo.wait_for("this page");
    demo.type_keys("q");
    let end = demo.wait_for_end();
    ensure!(end.status == 0, "it ended with status {}", end.status);
    end.assert_restored();
    Ok(())
}

/// The words after `demo: TIME ACTOR` in a line of the narration, and the time.
fn narrated<'a>(actor: &str, line: &'a str) -> Option<(Timestamp, &'a str)> {
    let (time, words) = line.strip_prefix("demo: ")?.split_once("  ")?;
    Some((stamp(time).ok()?, words.strip_prefix(actor)?.trim_start()))
}

fn address_of(actor: &str, told: &[String]) -> Option<SocketAddr> {
    told.iter().find_map(|line| narrated(actor, line)?.1.split(' ').next()?.parse().ok())
}

fn line_of(actor: &str, beginning: &str, told: &[String]) -> Option<Timestamp> {
    let of_actor = told.iter().filter_map(|line| narrated(actor, line));
    of_actor.filter(|(_, words)| words.starts_with(beginning)).map(|(at, _)| at).next()
}
