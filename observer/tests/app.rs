//! The whole program on a clock of its own: scripted events go in, lines, pictures and a log come out.

#![expect(clippy::unwrap_used, reason = "a program that cannot run is a failure")]

mod support;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::ready;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use observer::app::{self, Ended, GRACE, Parts};
use observer::command::Outcome;
use observer::log::{Line, Reader, Sink, Writer};
use observer::plain::Plain;
use observer_core::{Config, Event, EventKind, Finding, FindingKind, Severity, SourceEvent, Timestamp};
use support::recording::header;
use support::replayed::replayed;
use support::story::{Story, at, degraded, events_lost, together};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

/// Bytes that a test can look at while somebody writes them. Written from `full` on, it fails.
#[derive(Clone, Default)]
struct Paper {
    bytes: Arc<Mutex<Vec<u8>>>,
    full: Option<usize>,
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.bytes.lock().unwrap();
        if self.full.is_some_and(|full| written.len() + bytes.len() > full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Paper {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a run leaves behind.
struct Run {
    lines: Paper,
    talk: Paper,
    log: Paper,
    outcome: Outcome,
    missing_in_log: u64,
}

/// The observation clock that runs with tokio's, which a test moves.
fn clock() -> impl Fn() -> Timestamp {
    let start = tokio::time::Instant::now();
    move || at(0) + start.elapsed()
}

/// Delivers each event `delay` after its stamp, and ends at `end`.
async fn deliver(events: Vec<Event>, sender: mpsc::Sender<Vec<Event>>, delay: Duration, end: u64) {
    let start = tokio::time::Instant::now();
    for event in events {
        tokio::time::sleep_until(start + event.at.since(at(0)) + delay).await;
        sender.send(vec![event]).await.unwrap();
    }
    tokio::time::sleep_until(start + Duration::from_millis(end)).await;
}

/// A runtime whose time passes when nobody has anything to do.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Runs the program in lines over `events`, each delivered `delay` after its stamp, until `end`.
fn run(events: Vec<Event>, delay: Duration, end: u64, fail_on: Option<Severity>, log: Paper) -> Run {
    paused().block_on(async {
        let (lines, talk) = (Paper::default(), Paper::default());
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(deliver(events, sender, delay, end));
        let parts = Parts {
            events: receiver,
            inputs: stream::pending(),
            stop: std::future::pending(),
            last_words: ready(()),
            clock: clock(),
            output: Plain::new(lines.clone(), talk.clone()),
            listeners: Vec::new(),
            log: Some(Writer::new(log.clone(), &header("db1")).unwrap()),
            config: Config::default(),
            grace: GRACE,
            fail_on,
        };
        let Ended { outcome, missing_in_log } = app::run(parts).await.unwrap();
        Run { lines, talk, log, outcome, missing_in_log }
    })
}

/// The parts of a program that writes lines and a log, and has no keyboard.
type Logging<S, E, C> = Parts<Plain<Paper, Paper>, stream::Pending<io::Result<Infallible>>, S, E, C, Paper>;

/// The program in lines that nobody reads, with a log.
fn logging<S, E, C>(
    events: mpsc::Receiver<Vec<Event>>,
    stop: S,
    last_words: E,
    clock: C,
    log: Paper,
) -> Logging<S, E, C> {
    Parts {
        events,
        inputs: stream::pending(),
        stop,
        last_words,
        clock,
        output: Plain::new(Paper::default(), Paper::default()),
        listeners: Vec::new(),
        log: Some(Writer::new(log, &header("db1")).unwrap()),
        config: Config::default(),
        grace: GRACE,
        fail_on: None,
    }
}

/// The client stops reading and is lost; the story of the other is over in time.
fn events() -> Vec<Event> {
    let lost = Story::of("10.2.7.31:51844", 1000)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000, 37_400]);
    let recovered = Story::of("10.2.7.31:51846", 2000)
        .stream(2500, 8_000, 1_200_000, 3_100_000)
        .zero_window(9_000)
        .probes([9_230, 9_690])
        .window_update(20_000, 800_000);
    together([lost, recovered])
}

fn log_lines(log: &Paper) -> Vec<Line> {
    Reader::new(log.text().as_bytes()).unwrap().map(Result::unwrap).collect()
}

#[test]
fn findings_are_lines() {
    let mut events = events();
    events.insert(0, degraded(0));
    events.push(events_lost(60_000, 12));
    let run = run(events, Duration::ZERO, 80_000, None, Paper::default());
    insta::assert_snapshot!("lines", run.lines.text());
    insta::assert_snapshot!("talk", run.talk.text());
    assert_eq!(run.outcome, Outcome::Clean);
}

#[test]
fn the_exit_status_follows_the_severity_asked_for() {
    let outcome = |end, level| run(events(), Duration::ZERO, end, Some(level), Paper::default()).outcome;
    assert_eq!(outcome(35_000, Severity::Warning), Outcome::Clean);
    assert_eq!(outcome(45_000, Severity::Warning), Outcome::Found);
    assert_eq!(outcome(45_000, Severity::Critical), Outcome::Clean);
    assert_eq!(outcome(80_000, Severity::Lost), Outcome::Found);
    // What is missing of the observation is no finding about the host.
    let missing = run(vec![degraded(0)], Duration::ZERO, 1000, Some(Severity::Notice), Paper::default());
    assert_eq!(missing.outcome, Outcome::Clean);
}

#[test]
fn replay_of_the_log_finds_what_was_found_live() {
    // Events that take their time, in the end more than the grace: then deadlines pass that a stamp would have moved.
    for delay in [Duration::ZERO, GRACE / 2, GRACE * 100] {
        let run = run(events(), delay, 80_000, None, Paper::default());
        let live: Vec<Finding> = log_lines(&run.log)
            .into_iter()
            .filter_map(|line| if let Line::Finding(finding) = line { Some(finding) } else { None })
            .collect();
        let mut log = tempfile::NamedTempFile::new().unwrap();
        log.write_all(run.log.text().as_bytes()).unwrap();
        assert!(live.len() >= 5, "{live:?}");
        assert_eq!(replayed(log.path()).unwrap(), live);
    }
}

#[test]
fn an_event_before_a_deadline_comes_before_it_though_it_is_late() {
    // The window opens 5 ms before the warning falls due, and the event comes 5 ms after.
    let story = Story::of("10.2.7.31:51844", 1000)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(9_000)
        .probes([9_230])
        .window_update(37_494, 800_000);
    let run = run(story.events, Duration::from_millis(10), 60_000, None, Paper::default());
    let text = run.lines.text();
    assert!(text.contains("reads again"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn a_full_disk_is_told_and_the_observation_goes_on() {
    let full = Paper { full: Some(4000), ..Paper::default() };
    let run = run(events(), Duration::ZERO, 80_000, Some(Severity::Lost), full);
    assert_eq!(run.outcome, Outcome::Found, "the observation ended with the log");
    let talk = run.talk.text();
    assert_eq!(talk.matches("writing the log").count(), 1, "{talk}");
    // What was written is whole, and the rest is counted.
    let observed = |log: &Paper| {
        let lost = |kind: &EventKind| matches!(kind, EventKind::Source(SourceEvent::EventsLost { .. }));
        let is_event = |line: &&Line| matches!(line, Line::Event(event) if !lost(&event.kind));
        log_lines(log).iter().filter(is_event).count()
    };
    let written = observed(&run.log);
    assert!(written > 0);
    let whole = self::run(events(), Duration::ZERO, 80_000, None, Paper::default());
    assert_eq!(run.missing_in_log, (observed(&whole.log) - written) as u64);
}

#[test]
fn the_log_is_at_most_a_second_behind() {
    LocalSet::new().block_on(&paused(), async {
        let log = Paper::default();
        let (sender, receiver) = mpsc::channel(4);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let program = spawn_local(app::run(logging(receiver, stopped, ready(()), clock(), log.clone())));
        let quiet = Story::of("10.2.7.31:51844", 0).events;
        let count = quiet.len();
        sender.send(quiet).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1001)).await;
        assert_eq!(log_lines(&log).len(), count);
        // A signal ends it. What is not written yet is, and so is what was delivered and not looked at yet.
        sender.send(vec![events_lost(1001, 1)]).await.unwrap();
        tokio::task::yield_now().await;
        sender.send(vec![degraded(1001)]).await.unwrap();
        drop(stop);
        assert_eq!(program.await.unwrap().unwrap().outcome, Outcome::Clean);
        let events = log_lines(&log)
            .into_iter()
            .filter(|line| matches!(line, Line::Event(Event { kind: EventKind::Source(_), .. })));
        assert_eq!(events.count(), 2);
    });
}

/// What the source says when it is told to end is kept, though it is more than there is room for at once; who never ends
/// is not waited for.
#[test]
fn the_source_has_the_last_word() {
    for ends in [true, false] {
        let log = Paper::default();
        paused().block_on(async {
            let (sender, receiver) = mpsc::channel(4);
            let said = sender.clone();
            let last_words = async move {
                for at in 0..9 {
                    said.send(vec![events_lost(at, 1)]).await.unwrap();
                }
                if !ends {
                    std::future::pending::<()>().await;
                }
            };
            app::run(logging(receiver, ready(()), last_words, clock(), log.clone())).await.unwrap();
        });
        let lost = log_lines(&log).into_iter().filter(|line| {
            let Line::Event(event) = line else { return false };
            matches!(event.kind, EventKind::Source(SourceEvent::EventsLost { .. }))
        });
        assert_eq!(lost.count(), 9);
    }
}

/// Paper that nobody takes any more: the reader of a pipe has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Who reads the lines has seen enough. That is told with the next finding; what the same batch has after it, and what the
/// source says at the end, is in the log all the same.
#[test]
fn the_source_has_the_last_word_where_nobody_reads_the_lines_any_more() {
    let runtime = paused();
    let log = Paper::default();
    let ended = runtime.block_on(async {
        let (sender, receiver) = mpsc::channel(4);
        sender.send(vec![events_lost(1, 1), events_lost(2, 1)]).await.unwrap();
        let last_words = async move { sender.send(vec![events_lost(3, 1)]).await.unwrap() };
        let Parts { events, inputs, stop, last_words, clock, listeners, log, config, grace, .. } =
            logging(receiver, std::future::pending(), last_words, clock(), log.clone());
        let (output, fail_on) = (Plain::new(Gone, Gone), Some(Severity::Lost));
        let parts =
            Parts { events, inputs, stop, last_words, clock, output, listeners, log, config, grace, fail_on };
        app::run(parts).await.unwrap()
    });
    assert_eq!((ended.outcome, ended.missing_in_log), (Outcome::Found, 0));
    let lines = log_lines(&log);
    let is_event = |line: &&Line| matches!(line, Line::Event(_));
    let is_finding = |line: &&Line| matches!(line, Line::Finding(_));
    assert_eq!((lines.iter().filter(is_event).count(), lines.iter().filter(is_finding).count()), (3, 3));
}

/// The program is stopped while a warning falls due, and one of two clients reads on meanwhile. Nobody told it, the ring buffer was
/// full: only what is found afterwards does. Who stands still is warned of as soon as that was looked at.
#[test]
fn what_fell_due_while_it_was_stopped_waits_for_what_is_found_afterwards() {
    let runtime = paused();
    let (reads_on, stands) = ("10.2.7.31:51844", "10.2.7.31:51846");
    let log = Paper::default();
    LocalSet::new().block_on(&runtime, async {
        let (sender, receiver) = mpsc::channel(4);
        let slept = Rc::new(Cell::new(Duration::ZERO));
        // No two looks at it give the same.
        let clock = {
            let (clock, slept) = (clock(), slept.clone());
            move || clock() + slept.replace(slept.get() + Duration::from_micros(1))
        };
        let parts = logging(receiver, std::future::pending(), ready(()), clock, log.clone());
        let program = spawn_local(app::run(parts));
        let stall = |client| {
            Story::of(client, 0).stream(500, 2_000, 1_200_000, 3_100_000).zero_window(2_000).probes([2_230])
        };
        sender.send(together([stall(reads_on), stall(stands)])).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        slept.set(Duration::from_secs(30));
        let found = stall(reads_on).window_update(40_010, 800_000).events.pop().unwrap();
        sender.send(vec![found]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(sender);
        program.await.unwrap().unwrap();
    });
    let warned: Vec<_> = log_lines(&log)
        .into_iter()
        .filter_map(|line| match line {
            Line::Finding(Finding { at, flow, kind: FindingKind::Warning { .. }, .. }) => {
                Some((flow?.client, at))
            }
            _ => None,
        })
        .collect();
    assert_eq!(warned, [(stands.parse().unwrap(), at(32_000))]);
}

/// The source ends while somebody looks at the view: the last state stays.
#[test]
fn the_view_stays_after_the_end_of_the_source() {
    use crossterm::event::{Event as Input, KeyCode, KeyEvent};
    use observer::view::{Abilities, Theme, View};
    use ratatui::{Terminal, backend::TestBackend};

    LocalSet::new().block_on(&paused(), async {
        let (sender, receiver) = mpsc::channel(4);
        let abilities = Abilities { theme: Theme::Dark, unicode: true };
        let terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let (keys, typed) = mpsc::unbounded_channel();
        let parts = Parts {
            events: receiver,
            inputs: stream::unfold(typed, async |mut typed| Some((Ok(typed.recv().await?), typed))),
            stop: std::future::pending(),
            last_words: ready(()),
            clock: clock(),
            output: View::new(terminal, abilities, "db1:3306", Config::default()),
            listeners: Vec::new(),
            log: None::<Writer<Paper>>,
            config: Config::default(),
            grace: GRACE,
            fail_on: None,
        };
        let program = spawn_local(app::run(parts));
        sender.send(Story::of("10.2.7.31:51844", 0).events).await.unwrap();
        drop(sender);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!program.is_finished());
        keys.send(Input::Key(KeyEvent::from(KeyCode::Char('q')))).unwrap();
        assert_eq!(program.await.unwrap().unwrap().outcome, Outcome::Clean);
    });
}
