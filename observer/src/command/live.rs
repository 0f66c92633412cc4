//! `observer live`: this host, as it is now.

use super::Outcome;
use super::watch::{Watch, in_runtime, watch};
use crate::cli::LiveArgs;
use crate::log::LogFile;
use crate::source::live::ObservationClock;
use crate::source::live::diag::{DiagOptions, spawn};

/// Runs the command.
pub(super) fn run(args: &LiveArgs) -> anyhow::Result<Outcome> {
    // What the user can have got wrong comes first, before anything is attached to the kernel.
    let log = args.log.as_deref().map(LogFile::create).transpose()?;
    in_runtime(async {
        let clock = ObservationClock::new()?;
        let (sender, events) = tokio::sync::mpsc::channel(64);
        let options = DiagOptions { ports: args.ports.clone(), period: args.poll, clock };
        let _source = spawn(options, sender)?;
        let watched = Watch {
            events,
            clock,
            ports: args.ports.clone(),
            sources: vec!["socket diagnostics".to_owned()],
            config: args.config(),
            log,
            plain: args.plain,
            fail_on: args.fail_on.map(Into::into),
        };
        watch(watched, std::future::pending()).await
    })
}
