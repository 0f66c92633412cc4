//! The task that reads what the kernel programs tell.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use observer_common::name;
use observer_core::{Event, EventKind, LossPoint, SourceEvent};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyMutGuard};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::census::Census;
use super::deaths::{Deaths, ids_are_known};
use super::held::Held;
use super::load::{Kernel, PART};
use super::reads::Reads;
use super::records::{Decoder, Malformed, Told};
use super::sampler::Sampler;
use super::scope::Scope;
use super::trouble::STILL;
use super::waits::Waits;
use crate::mysql::Statements;
use crate::source::live::cgroup::Directory;
use crate::source::live::degradation::Degradation;
use crate::source::live::diag::DiagHandle;
use crate::source::live::owners::{Asker, Asks};
use crate::source::live::tell;

/// Records taken from the ring buffer in one turn.
const BATCH: usize = 256;

/// Once the ring buffer is empty it is left alone so long. Until it is read the kernel says of the first record only that it
/// is there, and the interrupt by which it says so costs whoever sends the segment more than all else. Nobody sees a delay as
/// short as this, and what 50,000 connections a second have to tell in that time fills no more than two thirds of the buffer.
const REST: Duration = Duration::from_millis(5);

/// How much more often a connection in trouble is looked at than the others.
const TROUBLE_FACTOR: u32 = 5;

/// What was lost is told so soon, however rarely the connections are looked at.
const LOSSES_PERIOD: Duration = Duration::from_secs(1);

/// What is lost when the observed cgroup is removed: its sockets are seen to their end.
const WITHOUT_NEW: &str = "what is started there since, but for what socket polling sees";

/// The other parts of the source, which what is read here sets to work.
pub(crate) struct Others {
    /// Polls more often while somebody stands still.
    pub(crate) diag: Arc<DiagHandle>,
    /// The cookies of all sockets, when it was asked for them.
    pub(crate) sockets: mpsc::Receiver<HashSet<u64>>,
    /// Looks at the processes that open and read.
    pub(crate) owners: Asker,
    /// Follows who reads, while somebody stands still.
    pub(crate) reads: Reads,
    /// Follows servers' own waits, where that is possible.
    pub(crate) waits: Option<Waits>,
}

/// What comes to the reader from the other parts.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// What the socket diagnostics have found.
    pub(crate) polled: mpsc::Receiver<Vec<Event>>,
    /// Closed when the end has come.
    pub(crate) end: oneshot::Receiver<()>,
}

/// Reads until the end, and then what is from before it; or until nobody listens any more. While the listener is behind
/// nothing is read: the ring buffer fills, and the kernel counts what it has no place for. What was polled is told in its
/// place among the records.
///
/// # Errors
///
/// When the maps are not those this program knows, or the kernel takes back the ring buffer.
pub(crate) async fn read(
    kernel: Kernel,
    decoder: Decoder,
    period: Duration,
    statements: Statements,
    others: Others,
    inputs: &mut Inputs,
    events: mpsc::Sender<Vec<Event>>,
) -> anyhow::Result<()> {
    let Others { diag, mut sockets, owners, reads, waits } = others;
    let ring = kernel.take_map(name::RECORDS)?;
    // SAFETY: the ring buffer owns its file descriptor, gives always this one, and closes it when it is dropped.
    let mut ring = unsafe { AsyncFd::register_with_interest(RingBuf::try_from(ring)?, Interest::READABLE) }
        .context("waiting for the ring buffer")?;
    let mut sampler = Sampler::new(&kernel, &decoder, statements)?;
    let mut records = Records { decoder: &decoder, deaths: Deaths::new(), waits };
    let (mut held, mut census) = (Held::default(), Census::new(decoder.now()));
    let mut scope = kernel.one_cgroup.as_ref().map(|_| Scope::new(kernel.capacity));
    let mut rest_until = None;
    let mut pass_is_due = every(period);
    let mut trouble_is_due = every(period / TROUBLE_FACTOR);
    let mut standstill_is_due = every(STILL);
    let mut losses_are_due = every(period.min(LOSSES_PERIOD));
    let mut directory = kernel.one_cgroup;
    let ids_are_known = ids_are_known();
    let mut in_pass = false;
    let mut in_trouble = false;
    loop {
        let mut batch = Vec::new();
        if !held.waits() {
            tokio::select! {
                ready = readable_after(rest_until, &mut ring) => {
                    let mut ready = ready.context("waiting for the ring buffer")?;
                    rest_until = None;
                    if records.drain(ready.get_inner_mut(), &mut sampler, &mut batch) {
                        ready.clear_ready();
                        rest_until = Some(Instant::now() + REST);
                    }
                }
                Some(batch) = inputs.polled.recv() => *held.events() = batch,
                _ = pass_is_due.tick(), if !in_pass => {
                    sampler.begin_pass();
                    in_pass = true;
                }
                _ = trouble_is_due.tick(), if sampler.has_trouble() => {
                    sampler.look_at_trouble(&decoder, held.events());
                }
                _ = standstill_is_due.tick(), if sampler.has_trouble() && !in_trouble => {
                    sampler.look_for_standstill(decoder.now());
                }
                _ = losses_are_due.tick() => {
                    sampler.tell_losses(&decoder, held.events());
                    if let Some(gone) = directory.as_ref().and_then(Directory::gone) {
                        directory = None;
                        held.events().push(tell(&Degradation::new(PART, &gone, WITHOUT_NEW), decoder.clock()));
                    }
                    let (now, lost) = (decoder.now(), sampler.lost_records());
                    if census.is_due(now, lost, sampler.ends_are_told()) {
                        census.begin(now, lost, sampler.cookies());
                        diag.count_all();
                        // What was lost is not to be missed for long; where it is never told, there is time.
                        if sampler.ends_are_told() {
                            diag.poll_now();
                        }
                    }
                }
                Some(sockets) = sockets.recv() => {
                    for cookie in census.counted(&sockets) {
                        sampler.gone(cookie, &decoder, held.events());
                    }
                }
                () = tokio::task::yield_now(), if in_pass => {
                    in_pass = sampler.continue_pass(&decoder, held.events());
                }
                _ = &mut inputs.end => break,
            }
        }
        if held.waits() {
            let emptied = records.drain(ring.get_mut(), &mut sampler, &mut batch);
            if emptied || batch.last().is_some_and(|record| held.are_before(record.at)) {
                held.follow(&mut batch);
            }
        }
        if in_trouble != sampler.stands_still(decoder.now()) {
            in_trouble = !in_trouble;
            pace(&diag, period, in_trouble);
            reads.want(in_trouble);
        }
        if let Some(scope) = &mut scope {
            scope.limit(&mut batch);
        }
        let asks = if ids_are_known { Asks::of_processes(&batch) } else { Asks::default() };
        if !batch.is_empty() && events.send(batch).await.is_err() {
            return Ok(());
        }
        owners.ask(asks);
    }
    records.drain_to_the_end(ring.get_mut(), &mut sampler, scope.as_mut(), &events).await;
    Ok(())
}

/// Whether data waits behind a closed window is what the socket diagnostics of both ends know: they look more often as
/// long as anybody stands still. Where there are sockets of ours they look for at their own pace: windows close for
/// moments all the time, and walking through all processes for each of them would be too much.
fn pace(diag: &DiagHandle, period: Duration, in_trouble: bool) {
    diag.set_period(if in_trouble { period / TROUBLE_FACTOR } else { period });
}

/// Waits until there are records, and not before the end of a rest.
async fn readable_after(
    rest_until: Option<Instant>,
    ring: &mut AsyncFd<RingBuf<MapData>>,
) -> std::io::Result<AsyncFdReadyMutGuard<'_, RingBuf<MapData>>> {
    if let Some(until) = rest_until {
        sleep_until(until).await;
    }
    ring.readable_mut().await
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// What the records of the ring buffer are made into events with.
struct Records<'a> {
    decoder: &'a Decoder,
    deaths: Deaths,
    waits: Option<Waits>,
}

impl Records<'_> {
    /// Takes records until there are none, `true`, or until it has enough for this turn.
    fn drain(&mut self, ring: &mut RingBuf<MapData>, sampler: &mut Sampler, batch: &mut Vec<Event>) -> bool {
        let Self { decoder, deaths, waits } = self;
        let mut malformed = 0;
        let mut emptied = false;
        for _ in 0..BATCH {
            let Some(record) = ring.next() else {
                emptied = true;
                break;
            };
            let before = batch.len();
            match decoder.decode(&record, batch) {
                Ok(Told::Trouble(cookie)) => sampler.watch(cookie, decoder.now()),
                Ok(Told::Probed(cookie)) => {
                    // What it waits for comes before what shows that it does not read it.
                    let at = batch.get(before).map_or_else(|| decoder.now(), |event| event.at);
                    if let Some(statement) = sampler.probed(cookie, at, decoder) {
                        batch.insert(before, statement);
                    }
                }
                Ok(Told::Destroyed(cookie)) => {
                    // Its last sample comes before its end.
                    let end = batch.pop();
                    let at = end.as_ref().map_or_else(|| decoder.now(), |event| event.at);
                    sampler.finish(cookie, at, decoder, batch);
                    batch.extend(end);
                }
                Ok(Told::Closing) => {
                    let death = batch.last().and_then(|event| deaths.look(event, decoder.now()));
                    batch.extend(death);
                }
                Ok(Told::WaitEnds(record)) => {
                    if let Some(waits) = &*waits {
                        waits.ended(record);
                    }
                }
                Ok(Told::Other) => {}
                Err(Malformed) => malformed += 1,
            }
        }
        if malformed > 0 {
            let lost = SourceEvent::EventsLost { count: malformed, lost_by: LossPoint::Decoder };
            batch.push(Event { at: decoder.now(), kind: EventKind::Source(lost) });
        }
        emptied
    }

    /// Takes the records that are from before now, and what was lost until now; tells them as far as somebody listens.
    async fn drain_to_the_end(
        &mut self,
        ring: &mut RingBuf<MapData>,
        sampler: &mut Sampler,
        mut scope: Option<&mut Scope>,
        events: &mpsc::Sender<Vec<Event>>,
    ) {
        let end = self.decoder.now();
        loop {
            let mut batch = Vec::new();
            let emptied = self.drain(ring, sampler, &mut batch);
            let is_last = emptied || batch.last().is_some_and(|record| end < record.at);
            if is_last {
                sampler.tell_losses(self.decoder, &mut batch);
            }
            if let Some(scope) = &mut scope {
                scope.limit(&mut batch);
            }
            if events.send(batch).await.is_err() || is_last {
                return;
            }
        }
    }
}
