//! Two hosts, a server on one of them, and everything that observes them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use observer::demo::{Client, ClientOptions, Dialect};
use observer_core::{End, Finding};

use crate::account::{Account, Reports, is_of};
use crate::case::{Case, Fate, server_name};
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::lab::{Lab, Side};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::server::Server;
use crate::judge::{Row, Way, compare_captures, judge, name};
use crate::matrix::TIMEOUT;
use crate::play::Play;
use crate::recording::Recording;
use crate::replayed::replayed;

/// Between the queries of two clients. Together they would keep every CPU from everybody for a second, observers included.
const STAGGER: Duration = Duration::from_millis(100);
/// How long the observers look on when everything is over: longer than they wait between two polls.
const AFTERMATH: Duration = Duration::from_secs(3);

/// The place of some cases. What runs in the lab is dropped before it.
pub(crate) struct Rig {
    eyes: [Eyes; 2],
    /// Sees the server's resets where they are sent.
    resets: Capture,
    /// The server.
    pub(crate) server: Server,
    /// Its host and the clients'.
    pub(crate) lab: Lab,
}

/// What observes at one end.
struct Eyes {
    end: End,
    observer: Observer,
    recording: Recording,
}

impl Rig {
    fn start(setup: &Setup, dialect: Dialect) -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
        let eyes = [
            Eyes::open(End::Client, &lab.client, lab.port)?,
            Eyes::open(End::Server, lab.server(), lab.port)?,
        ];
        let resets = Capture::start(lab.server(), lab.port)?;
        Ok(Self { eyes, resets, server, lab })
    }

    /// Says something to the server, as an administrator does.
    pub(crate) fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let options = ClientOptions { user: "reader".to_owned(), ..ClientOptions::default() };
        self.lab.client.within(|| {
            let mut client = Client::connect(self.lab.address(), &options)?;
            client.execute(statement)?;
            Ok(client.quit()?)
        })
    }
}

impl Eyes {
    fn open(end: End, side: &Side, port: u16) -> anyhow::Result<Self> {
        let (port_option, timeout) = (port.to_string(), TIMEOUT.as_secs().to_string());
        let options = ["--port", &port_option, "--net-write-timeout", &timeout];
        Ok(Self {
            end,
            observer: Observer::start(Vantage::Side(side), &options)?,
            recording: Recording::start(side, port)?,
        })
    }
}

/// Plays `cases` on one server at the same time, and judges what is said of them. With a `fate` that comes over the
/// server when all of them wait for it. The observers' logs and the captures go to the directory `keep`.
pub(crate) fn run(
    setup: &Setup,
    dialect: Dialect,
    cases: &[&Case],
    fate: Option<Fate>,
    keep: Option<&Path>,
) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::start(setup, dialect)?;
    let plays = play(setup, &rig, cases, fate)?;
    thread::sleep(AFTERMATH);
    let segments = rig.resets.stop()?;
    let reset_at = |client| {
        segments.iter().find(|segment| segment.to == client && segment.flags.contains('R')).map(|s| s.at)
    };
    let truths = plays.iter().zip(cases).map(|(play, case)| play.truth(reset_at).context(case.name));
    let truths = truths.collect::<anyhow::Result<Vec<_>>>()?;
    let mut accounts = Vec::new();
    for Eyes { end, observer, recording } in rig.eyes {
        let (log, place) = observer.stop_and_keep()?;
        let (log_file, recorded) = (place.path().join("log"), recording.stop()?);
        if let Some(keep) = keep {
            let name = keep.join(format!("{}-{}", name_of(dialect, fate), name(&end)));
            keep_file(&log_file, &name.with_extension("log"))?;
            keep_file(&recorded.path(), &name.with_extension("pcap"))?;
        }
        let again = replayed(&log_file).context("judging the log of an observer again")?;
        // Those of a case are compared where it is judged.
        let of_nobody = |findings: &[Finding]| {
            let is_of_case = |finding: &&Finding| truths.iter().any(|truth| is_of(finding, truth.client));
            findings.iter().filter(|finding| !is_of_case(finding)).cloned().collect::<Vec<_>>()
        };
        ensure!(of_nobody(&log.findings) == of_nobody(&again), "the log of an observer gives other findings");
        let live = Reports::of(&log_file, rig.lab.port)?;
        let capture = Reports::of(&recorded.path(), rig.lab.port)?;
        let of_truth = |truth| {
            [
                (Way::Live, Account::live(&log, &again, &live, truth)),
                (Way::Capture, Account::capture(&capture, truth)),
            ]
        };
        accounts.push((end, truths.iter().map(of_truth).collect::<Vec<_>>()));
    }
    let mut rows = Vec::new();
    for (number, (case, truth)) in cases.iter().zip(&truths).enumerate() {
        let mut of_case = Vec::new();
        for (end, accounts) in &accounts {
            for (way, account) in &accounts[number] {
                of_case.push(judge(case, dialect, *end, *way, truth, account));
            }
        }
        compare_captures(&mut of_case);
        rows.extend(of_case);
    }
    Ok(rows)
}

/// Each case in a thread of its own, once all clients are there. These are started by the thread that stays until the
/// end: a process dies with the thread that started it.
fn play<'a>(
    setup: &Setup,
    rig: &Rig,
    cases: &[&'a Case],
    fate: Option<Fate>,
) -> anyhow::Result<Vec<Play<'a>>> {
    let plays = cases.iter().map(|case| Play::start(setup, rig, case).context(case.name));
    let mut plays = plays.collect::<anyhow::Result<Vec<_>>>()?;
    together(plays.iter_mut().zip(cases).enumerate(), |(number, (play, case))| {
        thread::sleep(STAGGER * u32::try_from(number)?);
        play.part(rig, 0).context(case.name)
    })?;
    if let Some(fate) = fate {
        plays.iter_mut().try_for_each(Play::meet_fate)?;
        rig.server.process.signal(fate.signal())?;
        together(plays.iter_mut().zip(cases), |(play, case)| play.part(rig, 1).context(case.name))?;
    }
    Ok(plays)
}

/// The name of a rig's files: `mysql`, `mariadb-crash`.
fn name_of(server: Dialect, fate: Option<Fate>) -> String {
    let server = server_name(server).to_lowercase();
    fate.map_or_else(|| server.clone(), |fate| format!("{server}-{fate:?}").to_lowercase())
}

fn keep_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("keeping {}", to.display()))?;
    Ok(())
}

/// Does `work` with every one of `items` at the same time.
pub(crate) fn together<I: Send, T: Send>(
    items: impl Iterator<Item = I>,
    work: impl Fn(I) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread of the test panicked"))?)
            .collect()
    })
}
