//! What the user does, and whether the terminal is still there.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{self, Event};
use futures_util::stream::{self, Stream};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Inputs that may wait; beyond it the terminal keeps them.
const WAITING: usize = 64;

/// Keys, and new sizes of the terminal. The stream ends when the terminal is gone.
///
/// They are read by a thread of their own: at the end of its input, which a terminal has when it is closed,
/// crossterm reads again and again and never returns. Nobody waits for that thread; it ends with the process.
///
/// Called before the terminal is taken, so that no change of its size is missed.
///
/// # Errors
///
/// When the terminal cannot be read, or no thread can be started.
pub fn inputs() -> anyhow::Result<impl Stream<Item = io::Result<Event>>> {
    // crossterm listens to the signal of a new size from its first use on.
    event::poll(Duration::ZERO).context("reading the terminal (--plain does without it)")?;
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            loop {
                let input = event::read();
                let failed = input.is_err();
                if sender.blocking_send(input).is_err() || failed {
                    return;
                }
            }
        })
        .context("starting the thread that reads the keys")?;
    Ok(stream::unfold((receiver, Box::pin(gone())), |(mut receiver, mut gone)| async {
        let input = tokio::select! {
            biased;
            () = &mut gone => None,
            input = receiver.recv() => input,
        };
        input.map(|input| (input, (receiver, gone)))
    }))
}

/// Comes when the terminal is closed (`EPOLLHUP`). Where it cannot be watched, a signal or a failed write has to tell.
async fn gone() {
    // Of what can be waited for, only its end: the keys are not for here.
    let watch = |terminal: OwnedFd| {
        // SAFETY: the descriptor is owned here, and closed when the watch is dropped.
        unsafe { AsyncFd::register_with_interest(terminal, Interest::PRIORITY) }.ok()
    };
    let watched = match io::stdout().as_fd().try_clone_to_owned().ok().and_then(watch) {
        Some(terminal) => terminal.ready(Interest::PRIORITY).await.is_ok(),
        None => false,
    };
    if !watched {
        std::future::pending::<()>().await;
    }
}
