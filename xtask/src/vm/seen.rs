//! What came out of a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// All of it.
pub(super) struct Seen {
    /// The kernel, as it calls itself.
    pub(super) release: String,
    /// What was waited for in vain, where the machine did not come to its end.
    pub(super) stuck: Option<String>,
    /// Exit statuses of `doctor`, `live` and `demo`.
    pub(super) statuses: BTreeMap<&'static str, String>,
    /// What `observer doctor --json` said.
    pub(super) doctor: Value,
    /// What `observer live --plain` printed.
    pub(super) lines: String,
    /// Names of the kernel programs while it watched.
    pub(super) programs: Vec<String>,
    /// The machine's mounts while it watched.
    pub(super) mounts: String,
    /// Whether the kernel's type information was in sight.
    pub(super) btf: bool,
    /// The client's address of each part in the story.
    pub(super) clients: BTreeMap<String, String>,
    /// What `live` has observed, by the names of the log: of each client, which kinds of events.
    pub(super) events: BTreeMap<String, BTreeSet<String>>,
    /// The findings in the log of `live`.
    pub(super) findings: Vec<Value>,
    /// The report on that log.
    pub(super) report: Value,
    /// What is left of the fault: the times that were set, the counters of the wire.
    pub(super) fault: String,
    pub(super) usage: Usage,
}

/// What `observer live` used.
#[derive(Debug, PartialEq)]
pub(super) struct Usage {
    /// The most that was resident of the times it was looked at, in MiB.
    pub(super) resident: f64,
    /// CPU by time, while nothing happened: 1 is a whole core.
    pub(super) idle: f64,
    /// The same, while the story was played.
    pub(super) story: f64,
}

impl Seen {
    /// Reads what `machine::play` has left in `place`; the report is `observer`'s.
    ///
    /// # Errors
    ///
    /// When something is not there: the machine did not come so far.
    pub(super) fn read(place: &Path, observer: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let path = place.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let stuck = text("stuck").ok();
        let seen = Self::of(text, stuck.clone(), &place.join("log.jsonl"), observer);
        seen.with_context(|| match stuck {
            Some(stuck) => {
                let said = text("live.txt").unwrap_or_default();
                format!("it {}; the observer in it said:\n{}\n", stuck.trim_end(), said.trim_end())
            }
            None => "it handed over too little".to_owned(),
        })
    }

    fn of(
        text: impl Fn(&str) -> anyhow::Result<String>,
        stuck: Option<String>,
        log: &Path,
        observer: &Path,
    ) -> anyhow::Result<Self> {
        let status = |name| (name, text(&format!("{name}.status")).unwrap_or_default().trim_end().to_owned());
        Ok(Self {
            release: text("release")?.trim_end().to_owned(),
            stuck,
            statuses: ["doctor", "live", "demo"].map(status).into(),
            doctor: serde_json::from_str(&text("doctor.txt")?).context("reading what the doctor said")?,
            lines: text("live.txt")?,
            programs: text("programs")?.lines().map(str::to_owned).collect(),
            mounts: text("mounts")?,
            btf: text("btf")?.lines().any(|file| file == "vmlinux"),
            clients: text("demo.txt")?.lines().filter_map(part).collect(),
            events: events(&text("log.jsonl")?),
            findings: text("log.jsonl")?.lines().filter_map(finding).collect(),
            report: report(log, observer)?,
            fault: text("fault").unwrap_or_default(),
            usage: Usage::read(&text("usage")?).context("the machine did not tell what the observer used")?,
        })
    }

    /// Of the doctor's checks, the names of those that are as asked for.
    pub(super) fn checks(&self, ok: bool) -> impl Iterator<Item = &str> {
        let checks = self.doctor["checks"].as_array().into_iter().flatten();
        checks.filter(move |check| check["ok"] == ok).filter_map(|check| check["name"].as_str())
    }

    /// The parts that the observer did without.
    pub(super) fn degraded(&self) -> impl Iterator<Item = &str> {
        let parts = self.report["source"]["degraded"].as_array().into_iter().flatten();
        parts.filter_map(|part| part["part"].as_str())
    }

    /// The report's verdict on the client with a part in the story.
    pub(super) fn verdict(&self, part: &str) -> Option<&Value> {
        let client = self.clients.get(part)?;
        let mut connections = self.report["connections"].as_array()?.iter();
        Some(&connections.find(|connection| connection["client"] == client.as_str())?["verdict"])
    }
}

/// `demo: TIME  export    127.0.0.1:55160 reads 8 of 400000 rows and stops reading`.
fn part(line: &str) -> Option<(String, String)> {
    let mut words = line.strip_prefix("demo: ")?.split_whitespace();
    let (_time, part, address) = (words.next()?, words.next()?, words.next()?);
    let _: std::net::SocketAddr = address.parse().ok()?;
    Some((part.to_owned(), address.to_owned()))
}

fn events(log: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut events = BTreeMap::<_, BTreeSet<_>>::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let (Some(client), Some(event)) = (line["client"].as_str(), line["event"].as_str()) {
            events.entry(client.to_owned()).or_default().insert(event.to_owned());
        }
    }
    events
}

fn finding(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["type"] == "finding").then_some(value)
}

fn report(log: &Path, observer: &Path) -> anyhow::Result<Value> {
    let output = Command::new(observer)
        .args(["report", "--format", "json"])
        .arg(log)
        .output()
        .with_context(|| format!("starting {}", observer.display()))?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "observer report failed with {}: {talk}", output.status);
    serde_json::from_slice(&output.stdout).context("reading the report")
}

impl Usage {
    /// Lines of what was going on, the machine's age in seconds, CPU time of user and system in hundredths of a second,
    /// and resident memory in KiB.
    fn read(text: &str) -> Option<Self> {
        let mut at = BTreeMap::new();
        let mut resident: f64 = 0.0;
        for line in text.lines() {
            let (what, numbers) = line.split_once(' ')?;
            let numbers: Vec<f64> = numbers.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
            let &[age, user, system, kibibytes] = numbers.as_slice() else { return None };
            at.insert(what, (age, user + system));
            resident = resident.max(kibibytes / 1024.0);
        }
        let share = |from, to| {
            let ((began, before), (ended, after)) = (at.get(from)?, at.get(to)?);
            Some((after - before) / (100.0 * (ended - began)))
        };
        Some(Self { resident, idle: share("before", "idle")?, story: share("idle", "end")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_kinds_of_events_of_each_client() {
        let log = "{\"type\":\"header\"}\n{\"type\":\"event\",\"event\":\"syn\",\"client\":\"[::1]:1\"}\n\
                   {\"type\":\"event\",\"event\":\"sockets_polled\"}\n{\"type\":\"finding\",\"client\":\"[::1]:2\"}\n{\"torn";
        let of_client = ("[::1]:1".to_owned(), BTreeSet::from(["syn".to_owned()]));
        assert_eq!(events(log), BTreeMap::from([of_client]));
    }

    #[test]
    fn reads_what_was_used() {
        let text = "before 10.00 1 200 2048\nidle 20.00 2 209 3072\nstalled 21.00 2 209 9216\nend 30.00 2 210 1024\n";
        assert_eq!(Usage::read(text), Some(Usage { resident: 9.0, idle: 0.01, story: 0.001 }));
        assert_eq!(Usage::read("before 10.00 1 200 2048\n"), None);
    }

    #[test]
    fn knows_the_actors_by_what_they_say_first() {
        let line = "demo: 2026-11-23T01:14:37.927383Z  export    127.0.0.1:36754 reads 8 of 400000 rows and stops reading";
        assert_eq!(part(line), Some(("export".to_owned(), "127.0.0.1:36754".to_owned())));
        assert_eq!(part("demo: 2026-11-23T01:14:44.537009Z  report    reads on, in time"), None);
        assert_eq!(part("2026-11-23T01:14:44Z  127.0.0.1:1 -> 127.0.0.1:2  notice"), None);
    }
}
