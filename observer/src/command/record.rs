//! `observer record`: this host, for years.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use tokio::signal::unix::SignalKind;

use super::Outcome;
use super::watch::{Watch, in_runtime, listen, say, told_to_end};
use crate::alert::{Alerts, Counts, Origin};
use crate::cli::RecordArgs;
use crate::listener::Listeners;
use crate::metrics::{self, Exposition, Gatherer};
use crate::plain::Plain;
use crate::record::{Directory, Keeper, Rotation};
use crate::service;
use crate::source::live::{self, ObservationClock};
use crate::text::safe;

/// Runs the command until a signal ends it.
pub(super) fn run(args: &RecordArgs) -> anyhow::Result<Outcome> {
    // What the user can have got wrong comes first, before anything is attached to the kernel.
    let directory = Directory::take(&args.directory)?;
    for mended in directory.settle()? {
        let path = mended.path.to_string_lossy();
        say(format_args!(
            "{} ended in the middle of a line ({} bytes), which is marked as a lost event",
            safe(&path),
            mended.bytes
        ));
    }
    let options = args.observation.options(false)?;
    let couriers = args.alerts.couriers()?;
    let counts = Arc::<Counts>::default();
    let (gatherer, figures) = Gatherer::new();
    let exposition = Exposition::new(figures, Arc::clone(&counts));
    let serving = args.metrics.map(|address| metrics::serve(address, exposition)).transpose()?;
    in_runtime(async {
        let clock = ObservationClock::new()?;
        let watch = Watch {
            sources: options.sources(),
            source: live::start(&options, clock).await?,
            clock,
            ports: options.ports,
            config: args.observation.config(),
            fail_on: None,
        };
        let path = directory.path().to_owned();
        let (keeper, finished) = Keeper::start(&path, args.keep)?;
        let (next, hang_up) = hang_up()?;
        let header = watch.header();
        let log = Rotation::begin(directory, args.limits(), &header, move || clock.now(), next, finished)?;
        say(format_args!("recording {} in {}", safe(&watch.place()), safe(&path.to_string_lossy())));
        if let Some(serving) = &serving {
            say(format_args!("metrics are at http://{}/metrics", serving.address));
        }
        let origin = Origin { host: header.host.clone(), version: header.version.clone() };
        let (alerts, at_work) = Alerts::start(args.alerts.policy(), origin, couriers, counts);
        let mut listeners = Listeners::new();
        if args.alerts.are_wanted() {
            listeners.push(Box::new(alerts));
        }
        if serving.is_some() {
            listeners.push(Box::new(gatherer));
        }
        let output = Plain::new(io::stdout(), io::stderr()).for_journal(service::is_journal());
        let told = told_to_end()?;
        let stop = async {
            tokio::select! {
                () = told => {}
                () = hang_up => {}
                () = service::keep_alive() => {}
            }
        };
        let ended = watch.run(Some(log), listeners, output, stream::pending(), stop).await?;
        service::stopping();
        at_work.finish().await;
        if ended.missing_in_log > 0 {
            say(format_args!("{} events are missing in the log", ended.missing_in_log));
        }
        // The last part that was finished is compressed to its end.
        drop(keeper);
        Ok(ended.outcome)
    })
}

/// What is set by SIGHUP, and what sets it.
fn hang_up() -> anyhow::Result<(Arc<AtomicBool>, impl Future<Output = ()>)> {
    let mut signal = listen(SignalKind::hangup())?;
    let next = Arc::<AtomicBool>::default();
    let set = next.clone();
    let waiting = async move {
        while signal.recv().await.is_some() {
            set.store(true, Ordering::Relaxed);
        }
        std::future::pending::<()>().await;
    };
    Ok((next, waiting))
}
