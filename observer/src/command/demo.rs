//! `observer demo`: the whole story, played on this host and watched live.

use std::io::{self, Write as _};
use std::time::Duration;

use observer_core::{Config, Timeout, TimeoutSource};

use super::Outcome;
use super::watch::{Shown, Watch, needs_lines, watch};
use crate::cli::DemoArgs;
use crate::demo::{Narration, Story};
use crate::log::LogFile;
use crate::runtime::in_runtime;
use crate::source::live::{self, LiveOptions, ObservationClock};

/// How often sockets are polled: the story is a short one.
const POLL: Duration = Duration::from_millis(500);
/// After the story its last events are waited for.
const EPILOGUE: Duration = Duration::from_secs(2);

/// Runs the command. The view stays after the story; lines end with it.
pub(super) fn run(args: &DemoArgs) -> anyhow::Result<Outcome> {
    let plain = needs_lines(args.plain);
    let log = args.log.as_deref().map(LogFile::create).transpose()?;
    in_runtime(async {
        let mut story = Story::start()?;
        let duration = story.net_write_timeout();
        let clock = ObservationClock::new()?;
        let options = LiveOptions { ports: vec![story.port()], poll: POLL, ..LiveOptions::default() };
        let watched = Watch {
            sources: options.sources(),
            source: live::start(&options, clock).await?,
            clock,
            ports: options.ports,
            config: args.view.keep(Config {
                net_write_timeout: Timeout { duration, source: TimeoutSource::Flag },
                ..Config::default()
            }),
            fail_on: None,
        };
        let shown = Shown { log, plain, view: &args.view };
        story.begin();
        if !plain {
            return watch(watched, shown, std::future::pending()).await;
        }
        watch(watched, shown, async {
            while let Some(line) = story.narration().recv().await {
                tell(&line);
            }
            tokio::time::sleep(EPILOGUE).await;
        })
        .await
    })
}

/// What the actors do is talk beside the findings.
fn tell(line: &Narration) {
    // Nobody has to listen.
    let _ = writeln!(io::stderr(), "demo: {line}");
}
