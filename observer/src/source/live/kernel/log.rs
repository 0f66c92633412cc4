//! What the programs log, for debugging them (`--bpf-log`).

use anyhow::Context as _;
use aya_log::EbpfLogger;
use log::Log;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::load::Kernel;

/// Gives what the programs log to the program's own log. The future ends when the kernel takes back the map.
///
/// # Errors
///
/// When the object was built without logging.
pub(crate) fn forward(kernel: &Kernel) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let logger: EbpfLogger<&'static dyn Log> =
        EbpfLogger::init(&mut kernel.ebpf()).context("reading the log of the kernel programs")?;
    // SAFETY: the logger owns its file descriptor, gives always this one, and closes it when it is dropped.
    let mut logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) }
        .context("waiting for the log of the kernel programs")?;
    Ok(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    })
}
