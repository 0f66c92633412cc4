//! `observer replay`: a recording seen again, or one that is still being written.

use std::io;

use anyhow::{Context as _, ensure};
use futures_util::stream;
use observer_core::{Config, Severity};

use super::Outcome;
use super::watch::{needs_lines, show, signals};
use crate::app;
use crate::cli::ReplayArgs;
use crate::listener::Listeners;
use crate::log::{LogFile, Writer};
use crate::output::Output;
use crate::plain::Plain;
use crate::privilege::{self, Uses};
use crate::replay::{self, Extent, FOLLOW_GRACE, Follower};
use crate::runtime::in_runtime;
use crate::source::live::ObservationClock;
use crate::source::recording::{Options, Origin, Recording, Source, Tail};
use crate::talk::say;
use crate::view::{Speed, inputs};

/// Runs the command.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let source = Source::open(&args.file)?;
    let plain = needs_lines(args.plain);
    let reports = (!plain).then_some(&*args.view.report_dir);
    privilege::confine(&Uses { directories: source.directory().into_iter().collect(), reports })?;
    if args.follow {
        return in_runtime(follow(args, &source, plain));
    }
    let reading = options(args, None);
    let recording = Recording::open(&source, &reading)?;
    let config = args.view.keep(args.judging.given().config(recording.origin()));
    let fail_on = args.judging.fail_on.map(Into::into);
    if plain {
        return replay::lines(recording, config, fail_on, &mut Plain::new(io::stdout(), io::stderr()));
    }
    ensure!(
        source.is_lasting(),
        "{} cannot be played in the view, which goes back and forth in it; save it to a file first, or use --plain \
         or --follow",
        source.name()
    );
    // What is wrong with the file is told before the terminal is taken, where an error would not be seen.
    let extent = Extent::of(recording, &config)?;
    in_runtime(async {
        let stop = signals()?;
        let inputs = inputs()?;
        let (_guard, view) = show(&args.view, &source.name(), &config)?;
        let open = || Recording::open(&source, &reading);
        let speed = Speed(args.speed);
        replay::play(replay::Parts { open, extent, config, fail_on, speed, view, inputs, stop }).await
    })
}

/// How the file is read.
fn options(args: &ReplayArgs, follow: Option<Tail>) -> Options {
    let judging = &args.judging;
    Options { ports: judging.ports.clone(), statements: judging.statements.statements(), follow }
}

/// Shows what is being written as if it were live.
async fn follow(args: &ReplayArgs, source: &Source, plain: bool) -> anyhow::Result<Outcome> {
    let stop = signals()?;
    let tail = Tail::default();
    let reading = options(args, Some(tail.clone()));
    let recording = Recording::open(source, &reading)?;
    let config = args.view.keep(args.judging.given().config(recording.origin()));
    let wall = ObservationClock::new()?;
    let clock = match recording.origin() {
        Origin::Log(header) => wall.of_log(header.clock_offset).unwrap_or(wall),
        Origin::Capture => wall,
    };
    let follower = Follower::start(recording, tail)?;
    let watched = Followed { follower, clock, config, fail_on: args.judging.fail_on.map(Into::into) };
    if plain {
        say(format_args!("following {}; ctrl-c ends it", source.name()));
        watched.show(Plain::new(io::stdout(), io::stderr()), stream::pending(), stop).await
    } else {
        let inputs = inputs()?;
        let (_guard, view) = show(&args.view, &source.name(), &watched.config)?;
        watched.show(view, inputs, stop).await
    }
}

/// What is followed.
struct Followed {
    follower: Follower,
    clock: ObservationClock,
    config: Config,
    fail_on: Option<Severity>,
}

impl Followed {
    async fn show<O: Output>(
        self,
        output: O,
        inputs: impl futures_util::Stream<Item = io::Result<O::Input>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Outcome> {
        let Self { follower, clock, config, fail_on } = self;
        let (noting, clock) = follower.keep_time(move || clock.now());
        let listeners: Listeners = vec![Box::new(noting)];
        let Follower { events, failed, .. } = follower;
        let mut failure = None;
        let stop = async {
            tokio::select! {
                () = stop => {}
                error = failed => match error {
                    Ok(error) => failure = Some(error),
                    // The file has ended.
                    Err(_) => std::future::pending().await,
                },
            }
        };
        let (log, grace) = (None::<Writer<LogFile>>, FOLLOW_GRACE);
        let ended = app::run(app::Parts {
            events,
            inputs,
            stop,
            last_words: std::future::ready(()),
            clock,
            output,
            listeners,
            log,
            config,
            grace,
            fail_on,
        })
        .await?;
        failure.map_or(Ok(ended.outcome), Err).context("following it")
    }
}
