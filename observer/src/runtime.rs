//! The asynchronous runtime.

use anyhow::Context as _;

/// Runs `task` in the one thread of the program. A look-up of a name that goes on is not waited for (getaddrinfo(3)).
///
/// # Errors
///
/// When there can be no runtime, and those of `task`.
pub(crate) fn in_runtime<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the asynchronous runtime")?;
    let result = runtime.block_on(task);
    runtime.shutdown_background();
    result
}
