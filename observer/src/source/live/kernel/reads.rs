//! Follows who reads, but only while somebody may have stopped reading.
//!
//! The kernel comes by `tcp_rcv_space_adjust` at every read of every TCP socket of the host, and what it does there
//! before any program runs is as dear as all the rest of observing. So the program is loaded with the others but
//! stays attached only while a window is closed.
//!
//! Attaching changes the kernel's code, and detaching waits until no CPU runs it any more (`perf_trace_destroy`),
//! tens of milliseconds on a busy host: a thread of its own does both.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::trace_point::TracePointLinkId;

use super::load::lock;
use super::surroundings;
use super::tracepoints::READS;
use crate::source::live::degradation::Degradation;

/// How long reads are followed after the last window has opened: one that closed for a moment often closes again.
const LINGER: Duration = Duration::from_secs(5);

/// Has the programs, with others. They are taken out of the kernel soon after the last of them is dropped.
pub(super) struct Reads(Sender<bool>);

impl Reads {
    /// Keeps the programs, and follows reads when [`want`](Self::want)ed; `failed` is told why that is not possible.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(super) fn new(
        ebpf: Arc<Mutex<Ebpf>>,
        failed: impl FnOnce(Degradation) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (wanted, told) = channel();
        let follow = move || {
            if let Err(error) = follow(&ebpf, &told) {
                failed(Degradation::new(&READS.part(), &error, READS.without));
                // The other programs go on for as long as somebody listens.
                while told.recv().is_ok() {}
            }
        };
        thread::Builder::new()
            .name("reads".to_owned())
            .spawn(follow)
            .context("starting the thread that attaches to reads")?;
        Ok(Self(wanted))
    }

    /// Whether any window is closed, each time that changes.
    pub(super) fn want(&self, wanted: bool) {
        // The thread lives as long as this.
        let _ = self.0.send(wanted);
    }
}

/// Attaches and detaches as told, until nobody tells any more.
fn follow(ebpf: &Mutex<Ebpf>, told: &Receiver<bool>) -> anyhow::Result<()> {
    let mut attached: Option<TracePointLinkId> = None;
    let mut wanted = false;
    loop {
        let change = if attached.is_some() && !wanted {
            told.recv_timeout(LINGER)
        } else {
            told.recv().map_err(RecvTimeoutError::from)
        };
        match change {
            Ok(now) => wanted = now,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(link) = attached.take() {
                    READS.program(&mut lock(ebpf))?.detach(link)?;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if wanted && attached.is_none() {
            // Where tracefs was mounted for the loader alone, it has gone with that thread.
            surroundings::tracefs()?;
            attached = Some(READS.attach(&mut lock(ebpf))?);
        }
    }
}
