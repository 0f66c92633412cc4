//! `observer live`: this host, as it is now.

use super::watch::{Shown, Watch, needs_lines, watch};
use super::{Outcome, bpf_log, heap};
use crate::cli::LiveArgs;
use crate::log::LogFile;
use crate::runtime::in_runtime;
use crate::source::live::{self, ObservationClock};

/// Runs the command.
pub(super) fn run(args: &LiveArgs) -> anyhow::Result<Outcome> {
    heap::keep_little();
    // What the user can have got wrong comes first, before anything is attached to the kernel.
    let log = args.log.as_deref().map(LogFile::create).transpose()?;
    if args.bpf_log {
        bpf_log::print()?;
    }
    let options = args.observation.options(args.bpf_log)?;
    in_runtime(async {
        let clock = ObservationClock::new()?;
        let watched = Watch {
            sources: options.sources(),
            source: live::start(&options, clock).await?,
            clock,
            ports: options.ports,
            config: args.config(),
            fail_on: args.fail_on.map(Into::into),
        };
        let shown = Shown { log, plain: needs_lines(args.plain), view: &args.view };
        watch(watched, shown, std::future::pending()).await
    })
}
