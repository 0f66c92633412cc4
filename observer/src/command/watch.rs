//! Watching a source until the user has seen enough: what `live` and `demo` have in common.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use futures_util::stream;
use observer_core::{Config, Severity};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Outcome;
use crate::app::{self, Ended, Parts};
use crate::cli::ViewArgs;
use crate::listener::{Listener, Listeners};
use crate::log::{Header, LogFile, Sink, Writer};
use crate::output::Output;
use crate::plain::Plain;
use crate::source::live::{LiveSource, ObservationClock};
use crate::talk::say;
use crate::text::safe;
use crate::view::terminal::{self, Guard, LiveBackend};
use crate::view::{View, inputs};

/// What is watched and how it is shown.
pub(super) struct Watch {
    /// The observations.
    pub(super) source: LiveSource,
    /// The clock of their stamps.
    pub(super) clock: ObservationClock,
    /// Ports of the servers.
    pub(super) ports: Vec<u16>,
    /// What was asked for; what is missing of it is told by events.
    pub(super) sources: Vec<String>,
    /// What the judgement is told.
    pub(super) config: Config,
    /// From which severity on a finding counts for the exit status.
    pub(super) fail_on: Option<Severity>,
}

/// How it is shown and what is kept of it.
pub(super) struct Shown<'a> {
    /// The log, where one is kept.
    pub(super) log: Option<LogFile>,
    /// Lines instead of the view; see [`needs_lines`].
    pub(super) plain: bool,
    /// What the view looks like.
    pub(super) view: &'a ViewArgs,
}

/// Whether there are lines instead of the view: they were asked for, standard output is no terminal, or one that says
/// of itself that it cannot move its cursor.
pub(super) fn needs_lines(asked_for: bool) -> bool {
    asked_for || !io::stdout().is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Runs until a key, a signal, the end of the source, or `until` has come.
///
/// # Errors
///
/// When the log cannot be begun, or the output fails.
pub(super) async fn watch(
    watch: Watch,
    shown: Shown<'_>,
    until: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let signals = signals()?;
    let stop = async {
        tokio::select! {
            () = signals => {}
            () = until => {}
        }
    };
    // Before the terminal is taken, where an error would not be seen.
    let log = shown.log.map(|file| file.begin(&watch.header())).transpose()?;
    let place = watch.place();
    let listeners = Listeners::new();
    watch.source.settle((!shown.plain).then_some(&*shown.view.report_dir), None)?;
    let ended = if shown.plain {
        say(format_args!("watching {}; ctrl-c ends it", safe(&place)));
        let output = Plain::new(io::stdout(), io::stderr());
        watch.run(log, listeners, output, stream::pending(), stop).await?
    } else {
        let inputs = inputs()?;
        let (_guard, view) = show(shown.view, &place, &watch.config)?;
        watch.run(log, listeners, view, inputs, stop).await?
    };
    if ended.missing_in_log > 0 {
        say(format_args!("{} events are missing in the log", ended.missing_in_log));
    }
    Ok(ended.outcome)
}

/// Takes the terminal and shows the view on it, which calls what it watches `place`.
pub(super) fn show(
    args: &ViewArgs,
    place: &str,
    config: &Config,
) -> anyhow::Result<(Guard, View<LiveBackend>)> {
    let (guard, terminal) = terminal::take(!args.no_mouse)?;
    let abilities = args.abilities(|name| std::env::var(name).ok());
    let view = View::new(terminal, abilities, place, config.clone())
        .arranged(args.wishes())
        .with_reports_in(args.report_dir.clone());
    Ok((guard, view))
}

impl Watch {
    /// What is watched, by the name of the host and the ports.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", host(), ports(&self.ports))
    }

    /// The first line of a log of it.
    pub(super) fn header(&self) -> Header {
        Header {
            host: host(),
            kernel: uname(|name| name.release()),
            started_at: self.clock.now(),
            clock_offset: seconds(self.clock.offset_nanos()),
            ports: self.ports.clone(),
            sources: self.sources.clone(),
            ..Header::of(&self.config)
        }
    }

    /// Runs until `stop` comes, or the source or the output ends it.
    ///
    /// # Errors
    ///
    /// When the output fails.
    pub(super) async fn run<O: Output, L: Sink>(
        self,
        log: Option<Writer<L>>,
        mut listeners: Listeners,
        output: O,
        inputs: impl futures_util::Stream<Item = io::Result<O::Input>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Ended> {
        let Self { source, clock, config, fail_on, .. } = self;
        // Held until the end: it is what keeps the events coming.
        let LiveSource { events, naming, mut running, .. } = source;
        listeners.extend(naming.map(|naming| Box::new(naming) as Box<dyn Listener>));
        let clock = move || clock.now();
        let (grace, last_words) = (app::GRACE, running.end());
        app::run(Parts {
            events,
            inputs,
            stop,
            last_words,
            clock,
            output,
            listeners,
            log,
            config,
            grace,
            fail_on,
        })
        .await
    }
}

/// Comes when the program is told to end: by ctrl-c, by a service manager, or by its terminal going away.
pub(super) fn signals() -> anyhow::Result<impl Future<Output = ()>> {
    let told = told_to_end()?;
    // Under nohup it is to outlive its terminal.
    let outlives = is_ignored(SignalKind::hangup());
    let mut hang_up = if outlives { None } else { Some(listen(SignalKind::hangup())?) };
    Ok(async move {
        let terminal_gone = async {
            match &mut hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = told => {}
            _ = terminal_gone => {}
        }
    })
}

/// Comes when the program is told to end, by ctrl-c or by a service manager.
pub(super) fn told_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Every signal of a kind.
pub(super) fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("listening for signals")
}

/// Whether whoever started the program has it ignore a signal (`SigIgn` in proc_pid_status(5)).
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// Whole microseconds, which a float holds exactly for the next centuries.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn seconds(nanos: i64) -> f64 {
    (nanos / 1000) as f64 / 1e6
}

fn ports(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

fn host() -> String {
    uname(|name| name.nodename())
}

/// A field of what the kernel says of itself; empty where it says nothing.
fn uname(field: impl Fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr) -> String {
    nix::sys::utsname::uname()
        .map_or_else(|_| String::new(), |name| field(&name).to_string_lossy().into_owned())
}
