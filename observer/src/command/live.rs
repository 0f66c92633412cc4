//! `observer live`: this host, as it is now.

use anyhow::Context as _;

use super::Outcome;
use super::watch::{Watch, watch};
use crate::cli::LiveArgs;
use crate::log::LogFile;
use crate::source::live::ObservationClock;

/// Runs the command.
pub(super) fn run(args: &LiveArgs) -> anyhow::Result<Outcome> {
    // What the user can have got wrong comes first, before anything is attached to the kernel.
    let log = args.log.as_deref().map(LogFile::create).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?;
    runtime.block_on(async {
        let clock = ObservationClock::new()?;
        let (_sender, events) = tokio::sync::mpsc::channel(16);
        let mut sources = vec!["socket diagnostics".to_owned()];
        if !args.no_kernel {
            sources.insert(0, "kernel programs".to_owned());
        }
        watch(Watch {
            events,
            clock,
            ports: args.ports.clone(),
            sources,
            config: args.config(),
            log,
            plain: args.plain,
            fail_on: args.fail_on.map(Into::into),
        })
        .await
    })
}
