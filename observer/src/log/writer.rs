//! Writing a log.

use std::io;
use std::time::Duration;

use observer_core::{Event, EventKind, Finding, LossPoint, Severity, SourceEvent, Timestamp};

use super::file::Sink;
use super::{FindingRef, Header, LineRef};
use crate::text::without_controls;

/// Lines are with the kernel this long after they happened, at the latest.
pub const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// The disk is waited for at most so often: a server that ends loses all its connections at once.
const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// So many bytes are written without waiting for [`FLUSH_AFTER`].
const BUFFER: usize = 64 * 1024;

/// Writes a log and goes on when it cannot: the observation matters more than its record.
///
/// Lines are collected and written whole, so that a log that ends anywhere ends with a whole line. What cannot
/// be written is dropped and counted, and as soon as writing works again the log says how much is missing.
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    /// Whole lines that are not written yet.
    buffer: Vec<u8>,
    /// How many of them are events.
    buffered_events: u64,
    /// When the oldest of them came.
    buffered_since: Option<Timestamp>,
    /// When the disk is to be waited for, where something was lost.
    sync_due: Option<Timestamp>,
    /// Not before this.
    next_sync: Timestamp,
    /// How much of the log is written and whole.
    written: u64,
    /// Events dropped that the log has not admitted yet.
    unadmitted: u64,
    status: Status,
}

/// How the writing goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Why the last attempt failed, while it is so.
    pub failing: Option<String>,
    /// How many events are missing in the log altogether.
    pub events_missing: u64,
}

impl<S: Sink> Writer<S> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// When not even that can be written.
    pub fn new(sink: S, header: &Header) -> io::Result<Self> {
        let mut writer = Self {
            sink,
            buffer: Vec::new(),
            buffered_events: 0,
            buffered_since: None,
            sync_due: None,
            next_sync: Timestamp::EPOCH,
            written: 0,
            unadmitted: 0,
            status: Status::default(),
        };
        writer.append(&LineRef::Header(header))?;
        writer.write_out()?;
        Ok(writer)
    }

    /// Takes an observation, at `now`.
    pub fn event(&mut self, event: &Event, now: Timestamp) {
        match self.append(&LineRef::Event(event)) {
            Ok(()) => self.buffered_events += 1,
            Err(error) => self.fail(&error, 1),
        }
        self.buffered_since.get_or_insert(now);
        if self.buffer.len() >= BUFFER {
            self.flush(now);
        }
    }

    /// Takes a conclusion, at `now`, and writes everything so far: if the program dies next, this is the proof. That
    /// something was lost is on the disk too, at once or within [`SYNC_PERIOD`], should the host die.
    pub fn finding(&mut self, finding: &Finding, now: Timestamp) {
        let line = LineRef::Finding(FindingRef::from(finding));
        if let Err(error) = self.append(&line) {
            self.fail(&error, 0);
        }
        if finding.kind.severity() == Severity::Lost {
            self.sync_due = Some(now.max(self.next_sync));
        }
        self.flush(now);
    }

    /// When [`flush`](Self::flush) wants to be called.
    pub fn flush_due(&self) -> Option<Timestamp> {
        let flush = self.buffered_since.map(|since| since + FLUSH_AFTER);
        flush.into_iter().chain(self.sync_due).min()
    }

    /// Writes what has been collected. What fails is in [`status`](Self::status).
    pub fn flush(&mut self, now: Timestamp) {
        if self.unadmitted > 0 {
            self.admit(now);
        }
        match self.write_out() {
            Ok(()) => self.status.failing = None,
            Err(error) => {
                let lost = std::mem::take(&mut self.buffered_events);
                self.fail(&error, lost);
            }
        }
        self.buffer.clear();
        self.buffered_events = 0;
        self.buffered_since = None;
        if self.sync_due.is_some_and(|due| due <= now) {
            self.sync_due = None;
            self.next_sync = now + SYNC_PERIOD;
            if let Err(error) = self.sink.sync() {
                self.fail(&error, 0);
            }
        }
    }

    /// How the writing goes.
    pub fn status(&self) -> &Status {
        &self.status
    }

    fn fail(&mut self, error: &io::Error, events: u64) {
        self.unadmitted += events;
        self.status.events_missing += events;
        self.status.failing = Some(error.to_string());
    }

    /// Puts what is missing before what has been collected. The count is taken back when this fails too.
    fn admit(&mut self, now: Timestamp) {
        let lost = SourceEvent::EventsLost { count: self.unadmitted, lost_by: LossPoint::Log };
        let event = Event { at: now, kind: EventKind::Source(lost) };
        let collected = std::mem::take(&mut self.buffer);
        if self.append(&LineRef::Event(&event)).is_err() {
            self.buffer.clear();
        }
        self.buffer.extend_from_slice(&collected);
    }

    fn append(&mut self, line: &LineRef<'_>) -> io::Result<()> {
        let whole = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, line) {
            self.buffer.truncate(whole);
            return Err(error.into());
        }
        // Nearly every line is ASCII, of which JSON leaves only DEL as it is.
        if self.buffer[whole..].iter().any(|byte| *byte >= 0x7f) {
            let line = self.buffer.split_off(whole);
            self.buffer.extend_from_slice(without_controls(&String::from_utf8_lossy(&line)).as_bytes());
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        let result = self.sink.write_all(&self.buffer).and_then(|()| self.sink.flush());
        match result {
            Ok(()) => {
                self.written += self.buffer.len() as u64;
                self.buffer.clear();
                self.unadmitted = 0;
            }
            // Half a line may have been written. A pipe cannot take it back; its reader meets a torn line.
            Err(_) => drop(self.sink.cut(self.written)),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use observer_core::{Config, FindingKind};

    use super::super::{Line, Reader};
    use super::*;

    /// A disk with room for so many bytes.
    #[derive(Debug)]
    struct Disk {
        content: Vec<u8>,
        room: usize,
        /// How much of it is safe.
        synced: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room - self.content.len());
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.content.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Disk {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.content.truncate(usize::try_from(length).unwrap());
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            self.synced = self.content.len();
            Ok(())
        }
    }

    const START: Timestamp = Timestamp::from_micros(1_714_831_421_204_007);

    fn after(millis: u64) -> Timestamp {
        START + Duration::from_millis(millis)
    }

    fn header() -> Header {
        Header {
            version: "0.1.0".to_owned(),
            host: "db1".to_owned(),
            kernel: "6.1.0".to_owned(),
            started_at: START,
            clock_offset: 1_714_831_400.25,
            ports: vec![3306],
            sources: vec!["socket diagnostics".to_owned()],
            ..Header::of(&Config::default())
        }
    }

    fn event(millis: u64) -> Event {
        let polled = SourceEvent::SocketsPolled { period: Duration::from_secs(1) };
        Event { at: after(millis), kind: EventKind::Source(polled) }
    }

    fn finding(millis: u64) -> Finding {
        let kind = FindingKind::EventsLost { count: 1, total: 1, lost_by: LossPoint::RingBuffer };
        Finding::of_observation(after(millis), kind)
    }

    fn writer(room: usize) -> Writer<Disk> {
        Writer::new(Disk { content: Vec::new(), room, synced: 0 }, &header()).unwrap()
    }

    fn lines(writer: &Writer<Disk>) -> Vec<Line> {
        Reader::new(&writer.sink.content[..]).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = writer(usize::MAX);
        writer.event(&event(10), after(10));
        writer.finding(&finding(20), after(20));
        assert_eq!(lines(&writer), [Line::Event(event(10)), Line::Finding(finding(20))]);
        assert_eq!(Reader::new(&writer.sink.content[..]).unwrap().header(), &header());
        assert_eq!(header().config(), Config::default());
    }

    #[test]
    fn events_wait_at_most_a_second_and_findings_not_at_all() {
        let mut writer = writer(usize::MAX);
        assert_eq!(writer.flush_due(), None);
        writer.event(&event(10), after(10));
        writer.event(&event(20), after(20));
        assert_eq!(writer.flush_due(), Some(after(1010)));
        assert_eq!(lines(&writer), []);
        writer.flush(after(1010));
        assert_eq!(lines(&writer).len(), 2);
        assert_eq!(writer.flush_due(), None);
        writer.event(&event(1020), after(1020));
        writer.finding(&finding(1030), after(1030));
        assert_eq!(lines(&writer).len(), 4);
    }

    #[test]
    fn a_loss_is_on_the_disk_but_the_disk_is_waited_for_once_a_second_only() {
        let mut writer = writer(usize::MAX);
        let mut harmless = finding(10);
        harmless.kind = FindingKind::Degraded {
            part: "a part".to_owned(),
            because: "it is not there".to_owned(),
            without: "nothing".to_owned(),
        };
        writer.finding(&harmless, after(10));
        assert_eq!(writer.sink.synced, 0);
        writer.finding(&finding(20), after(20));
        let first = writer.sink.content.len();
        assert_eq!((writer.sink.synced, writer.flush_due()), (first, None));
        writer.finding(&finding(30), after(30));
        writer.finding(&finding(40), after(40));
        assert_eq!((writer.sink.synced, writer.flush_due()), (first, Some(after(1020))));
        writer.flush(after(1020));
        assert_eq!((writer.sink.synced, writer.flush_due()), (writer.sink.content.len(), None));
    }

    #[test]
    fn a_full_buffer_is_written_at_once() {
        let mut writer = writer(usize::MAX);
        for _ in 0..2000 {
            writer.event(&event(10), after(10));
        }
        assert!(writer.sink.content.len() > BUFFER && writer.buffer.len() < BUFFER);
    }

    #[test]
    fn a_full_disk_leaves_whole_lines_and_the_log_admits_what_is_missing() {
        let mut writer = writer(usize::MAX);
        writer.event(&event(10), after(10));
        writer.flush(after(10));
        let whole = writer.sink.content.len();
        // Room for half a line more.
        writer.sink.room = whole + 20;
        writer.event(&event(20), after(20));
        writer.event(&event(30), after(30));
        writer.finding(&finding(40), after(40));
        assert_eq!(writer.sink.content.len(), whole, "half a line was left");
        assert_eq!(writer.status().events_missing, 2);
        assert!(writer.status().failing.is_some());

        // Still full: the count goes on.
        writer.event(&event(50), after(50));
        writer.flush(after(50));
        assert_eq!(writer.status().events_missing, 3);

        writer.sink.room = usize::MAX;
        writer.event(&event(60), after(60));
        writer.flush(after(70));
        assert_eq!(*writer.status(), Status { failing: None, events_missing: 3 });
        let lost = SourceEvent::EventsLost { count: 3, lost_by: LossPoint::Log };
        let admission = Event { at: after(70), kind: EventKind::Source(lost) };
        assert_eq!(lines(&writer)[1..], [Line::Event(admission), Line::Event(event(60))]);

        // Admitted once only.
        writer.event(&event(80), after(80));
        writer.flush(after(80));
        assert_eq!(lines(&writer).len(), 4);
    }

    #[test]
    fn a_header_that_cannot_be_written_is_an_error() {
        let error = Writer::new(Disk { content: Vec::new(), room: 10, synced: 0 }, &header()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
