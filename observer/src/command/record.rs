//! `observer record`: this host, for years.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use tokio::signal::unix::SignalKind;

use super::watch::{Watch, listen, told_to_end};
use super::{Outcome, heap};
use crate::alert::{Alerts, Counts, Origin};
use crate::cli::RecordArgs;
use crate::listener::{Listener, Listeners};
use crate::metrics::{self, Exposition, Gatherer, Serving};
use crate::plain::Plain;
use crate::record::{Bundler, Directory, Incidents, Keeper, Rotation};
use crate::runtime::in_runtime;
use crate::service;
use crate::source::live::{self, ObservationClock};
use crate::talk::say;
use crate::text::safe;

/// Runs the command until a signal ends it.
pub(super) fn run(args: &RecordArgs) -> anyhow::Result<Outcome> {
    heap::keep_little();
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
    let listener = args.metrics.map(metrics::bind).transpose()?;
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
        // Before other threads are started, which are to have no more.
        watch.source.settle(None, Some(&path))?;
        let metrics = listener.map(|listener| serve_metrics(listener, &counts)).transpose()?;
        let (keeper, finished) = Keeper::start(&path, args.keep)?;
        // Whoever hears that it records may end it at once.
        let (told, (next, hang_up)) = (told_to_end()?, hang_up()?);
        let header = watch.header();
        let log = Rotation::begin(directory, args.limits(), &header, move || clock.now(), next, finished)?;
        say(format_args!("recording {} in {}", safe(&watch.place()), safe(&path.to_string_lossy())));
        let bundler = Bundler::start(&path, args.keep_incidents)?;
        let level = args.incident_level.into();
        let mut listeners: Listeners =
            vec![Box::new(Incidents::new(watch.place(), level, watch.config.clone(), bundler))];
        let origin = Origin { host: header.host.clone(), version: header.version.clone() };
        let (alerts, at_work) = Alerts::start(args.alerts.policy(), origin, couriers, counts);
        if args.alerts.are_wanted() {
            listeners.push(Box::new(alerts));
        }
        let (gatherer, _serving) = metrics.unzip();
        listeners.extend(gatherer.map(|gatherer| Box::new(gatherer) as Box<dyn Listener>));
        let output = Plain::new(io::stdout(), io::stderr()).for_journal(service::is_journal());
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

/// Serves metrics, and says where; with the listener that gathers them.
fn serve_metrics(listener: TcpListener, alerts: &Arc<Counts>) -> anyhow::Result<(Gatherer, Serving)> {
    let (gatherer, figures) = Gatherer::new();
    let serving = metrics::serve(listener, Exposition::new(figures, Arc::clone(alerts)))?;
    say(format_args!("metrics are at http://{}/metrics", serving.address));
    Ok((gatherer, serving))
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
