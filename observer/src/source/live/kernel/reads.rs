//! Follows who reads, but only while somebody may have stopped reading.
//!
//! The kernel comes by `tcp_rcv_space_adjust` at every read of every TCP socket of the host, and what it does there
//! before any program runs is as dear as all the rest of observing. So the program is loaded with the others but
//! stays attached only while somebody stands still.
//!
//! Attaching changes the kernel's code, and detaching waits until no CPU runs it any more (`perf_trace_destroy`),
//! tens of milliseconds on a busy host: a thread of its own does both.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aya::Ebpf;
use aya::programs::trace_point::TracePointLinkId;
use observer_core::Event;
use tokio::sync::mpsc;

use super::load::{Kernel, lock};
use super::surroundings;
use super::tracepoints::READS;
use crate::source::live::degradation::Degradation;
use crate::source::live::duty::{self, Duty};
use crate::source::live::{ObservationClock, tell};

/// How long reads are followed after the last window has opened: one that closed for a moment often closes again.
const LINGER: Duration = Duration::from_secs(5);

/// Has the programs, with others. They are taken out of the kernel soon after the last of them is dropped.
#[derive(Debug)]
pub(crate) struct Reads {
    wanted: Sender<bool>,
    /// Whether reads can be followed at all.
    are_told: bool,
}

impl Reads {
    /// Keeps the programs, and follows reads when [`want`](Self::want)ed; why that is not possible is an event.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(crate) fn start(
        kernel: &Kernel,
        clock: ObservationClock,
        events: mpsc::Sender<Vec<Event>>,
    ) -> anyhow::Result<Self> {
        let ebpf = Arc::clone(&kernel.ebpf);
        let (wanted, told) = channel();
        let follow = move |_tracefs| {
            if let Err(error) = follow(&ebpf, &told) {
                let degradation = Degradation::new(&READS.part(), &error, READS.without);
                // Without a listener there is nobody to tell.
                let _ = events.blocking_send(vec![tell(&degradation, clock)]);
                drop(events);
                // The other programs go on for as long as somebody listens.
                while told.recv().is_ok() {}
            }
        };
        // Where tracefs was mounted for the loader alone, it has gone with that thread.
        duty::spawn(Duty::Reads, surroundings::tracefs, follow)?;
        Ok(Self { wanted, are_told: kernel.reads_are_told })
    }

    /// Whether anybody stands still, each time that changes.
    pub(super) fn want(&self, wanted: bool) {
        if self.are_told {
            // The thread lives as long as this.
            let _ = self.wanted.send(wanted);
        }
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
            attached = Some(READS.attach(&mut lock(ebpf))?);
        }
    }
}
