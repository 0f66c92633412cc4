//! The running host: kernel programs, socket diagnostics and the servers themselves, if they are asked, merged into one
//! stream of events.

mod cgroup;
mod degradation;
pub mod diag;
mod duty;
mod kernel;
mod mounts;
mod observation_clock;
mod owners;
mod perf;
pub mod server;
mod tracefs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use observer_core::{Config, Event, EventKind, SourceEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

use crate::mysql::Statements;
use crate::privilege::{self, Capabilities};

pub use cgroup::Cgroup;
pub use degradation::Degradation;
use diag::{DiagOptions, cpu_time};
pub use kernel::{Attempt, Kernel, KernelOptions, Step};
pub(crate) use kernel::{WITHOUT_ALL, tracepoints};
pub use observation_clock::ObservationClock;
use server::{Naming, Server};
pub use tracefs::{Field, Format, Tracefs};

/// Batches of events that may wait for the one who handles them. Beyond it the kernel's ring buffer fills.
const WAITING_BATCHES: usize = 64;

/// What is observed, and how.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The MySQL ports, at most [`observer_common::MAX_PORTS`].
    pub ports: Vec<u16>,
    /// The cgroup whose sockets are observed; `None` for the whole host.
    pub cgroup: Option<PathBuf>,
    /// Connections the kernel programs keep at most.
    pub max_connections: u32,
    /// Size of the kernel's ring buffer in bytes.
    pub ring_bytes: u32,
    /// How often every connection is looked at; those in trouble five times as often.
    pub poll: Duration,
    /// What of clients' statements the kernel programs keep, and is told when a connection stands still.
    pub statements: Statements,
    /// Whether the kernel programs log what they do, for debugging them.
    pub bpf_log: bool,
    /// Whether the kernel programs are used; without them there is socket polling only.
    pub kernel: bool,
    /// The servers that are asked about the connections.
    pub servers: Vec<Server>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            ports: vec![3306],
            cgroup: None,
            max_connections: Config::MAX_CONNECTIONS,
            ring_bytes: 1 << 19,
            poll: Duration::from_secs(1),
            statements: Statements::default(),
            bpf_log: false,
            kernel: true,
            servers: Vec::new(),
        }
    }
}

impl LiveOptions {
    /// What was asked for, by the names of the log's header.
    pub fn sources(&self) -> Vec<String> {
        let kernel = self.kernel.then_some(kernel::PART);
        let asked = (!self.servers.is_empty()).then_some(server::SOURCE);
        kernel.into_iter().chain(["socket diagnostics"]).chain(asked).map(str::to_owned).collect()
    }

    /// How the kernel programs are loaded for this; `observer doctor` tries them with [`Kernel::load`].
    pub fn kernel_options(&self) -> KernelOptions {
        KernelOptions {
            ports: self.ports.clone(),
            cgroup: self.cgroup.clone(),
            max_connections: self.max_connections,
            ring_bytes: self.ring_bytes,
            keep_commands: self.statements != Statements::None,
            log: self.bpf_log,
        }
    }
}

/// The running host as a source of events.
#[derive(Debug)]
pub struct LiveSource {
    /// What is observed, in batches.
    pub events: mpsc::Receiver<Vec<Event>>,
    /// What tells the servers that are asked about which connections; `None` where none is.
    pub naming: Option<Naming>,
    /// What keeps the events coming.
    pub running: Running,
    degraded: Vec<Degradation>,
    /// What the thread that reads the events has to be allowed to do.
    takes: Capabilities,
    /// What those that it starts have to be.
    hands_on: Capabilities,
}

impl LiveSource {
    /// What the source does without. These were also the first events.
    pub fn degraded(&self) -> &[Degradation] {
        &self.degraded
    }

    /// Gives up, for the calling thread, what it needed to start: it must be the one that started the source. The
    /// source's own threads have given up theirs. What making files in `recorded` takes is kept; what writing reports
    /// to `reports` takes rests until it is needed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn settle(&self, reports: Option<&Path>, recorded: Option<&Path>) -> anyhow::Result<()> {
        let takes =
            |directory: Option<&Path>| directory.map_or(Ok(Capabilities::NONE), privilege::writing_to);
        let (resting, kept) = (takes(reports)?, takes(recorded)?);
        let resting = resting.and(self.hands_on);
        privilege::keep(self.takes.and(resting).and(kept), resting)
    }
}

/// A running source. Dropping it takes the programs out of the kernel and ends the polling.
#[derive(Debug)]
pub struct Running {
    tasks: Vec<AbortHandle>,
    /// Who reads what the kernel programs tell; `None` without them, and at the end.
    reader: Option<Reader>,
    /// The task that reads what the kernel programs tell has it too: both have to let go of it.
    diag: Arc<diag::DiagHandle>,
}

/// The task that reads what the kernel programs tell.
#[derive(Debug)]
struct Reader {
    task: JoinHandle<()>,
    /// Dropped when it shall end.
    end: oneshot::Sender<()>,
}

impl Running {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }

    /// Lets the kernel programs' records from before now be read and what they could not tell be counted. All of that is
    /// among the events when this is over; somebody has to take them meanwhile.
    pub async fn end(&mut self) {
        if let Some(Reader { task, end }) = self.reader.take() {
            drop(end);
            // If it has failed, that was told.
            let _ = task.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Begins to observe the host. What is not available is told as [`SourceEvent::Degraded`] before anything else.
///
/// # Errors
///
/// When the options cannot be followed: a cgroup that is none, no ports or too many; or when no thread can be
/// started for the socket diagnostics.
#[expect(clippy::unused_async, reason = "it must be called within a runtime, which spawning needs")]
pub async fn start(options: &LiveOptions, clock: ObservationClock) -> anyhow::Result<LiveSource> {
    let (sender, events) = mpsc::channel(WAITING_BATCHES);
    let (kernel, degraded) = if options.kernel { load_kernel(options)? } else { (None, Vec::new()) };
    let told: Vec<Event> = degraded.iter().map(|degradation| tell(degradation, clock)).collect();
    if !told.is_empty() {
        // The channel is empty, so there is room.
        let _ = sender.try_send(told);
    }
    let takes = duty::reading(kernel.as_ref(), &options.servers)?;
    let hands_on = duty::handing_on(&options.servers);
    let owners = owners::spawn(clock, sender.clone())?;
    let diag = DiagOptions {
        ports: options.ports.clone(),
        cgroup: options.cgroup.clone(),
        period: options.poll,
        clock,
    };
    let mut waits = match &kernel {
        Some(kernel) => kernel::Waits::start(kernel, clock, sender.clone())?,
        None => None,
    };
    let in_kernel = waits.clone();
    // One list at a time: the next is asked for when this one was taken.
    let (list, sockets) = mpsc::channel(1);
    let polled = move |batch: &[Event], all: Option<_>| {
        if let Some(waits) = &mut waits {
            waits.polled(batch);
        }
        if let Some(all) = all {
            // Nobody waits for it any more at the end.
            let _ = list.try_send(all);
        }
    };
    // Where there are kernel programs, who reads their records tells what was polled, in its place among them.
    let (to_reader, of_diag) = mpsc::channel(1);
    let to = if kernel.is_some() { to_reader } else { sender.clone() };
    let diag = Arc::new(diag::spawn_told(diag, Some(owners.clone()), to, polled)?);
    let mut running = Running { tasks: Vec::new(), reader: None, diag };
    let naming = server::start(&options.servers, options.statements, &sender, clock, &mut running);
    if let Some(kernel) = kernel {
        if options.bpf_log {
            running.spawn(kernel::forward_log(&kernel)?);
        }
        let decoder = kernel::Decoder::new(options.ports.clone(), clock);
        let (poll, statements) = (options.poll, options.statements);
        let reads = kernel::Reads::start(&kernel, clock, sender.clone())?;
        let diag = Arc::clone(&running.diag);
        let others = kernel::Others { diag, sockets, owners, reads, waits: in_kernel };
        let (end, ended) = oneshot::channel();
        let mut inputs = kernel::Inputs { polled: of_diag, end: ended };
        let task = tokio::spawn(async move {
            let told = sender.clone();
            if let Err(error) =
                kernel::read(kernel, decoder, poll, statements, others, &mut inputs, told).await
            {
                go_on_without(&error, inputs, sender, clock).await;
            }
        });
        running.tasks.push(task.abort_handle());
        running.reader = Some(Reader { task, end });
    }
    Ok(LiveSource { events, naming, running, degraded, takes, hands_on })
}

fn load_kernel(options: &LiveOptions) -> anyhow::Result<(Option<Kernel>, Vec<Degradation>)> {
    let options = options.kernel_options();
    options.check()?;
    let Attempt { kernel, steps } = Kernel::load(&options);
    let mut missing: Vec<_> = steps.into_iter().filter_map(|step| step.outcome.err()).collect();
    if kernel.is_none() {
        // Without any of it nothing else matters; the last step says why.
        missing.drain(..missing.len().saturating_sub(1));
    }
    Ok((kernel, missing))
}

fn tell(degradation: &Degradation, clock: ObservationClock) -> Event {
    Event { at: clock.now(), kind: EventKind::Source(SourceEvent::from(degradation.clone())) }
}

/// A part that fails later is told like one that is not there; what is polled goes on.
async fn go_on_without(
    error: &anyhow::Error,
    inputs: kernel::Inputs,
    events: mpsc::Sender<Vec<Event>>,
    clock: ObservationClock,
) {
    let kernel::Inputs { mut polled, mut end } = inputs;
    let mut batch = vec![tell(&Degradation::new(kernel::PART, error, WITHOUT_ALL), clock)];
    // It ends when nobody listens any more, too.
    while events.send(batch).await.is_ok() {
        batch = tokio::select! {
            Some(polled) = polled.recv() => polled,
            _ = &mut end => return,
        };
    }
}
