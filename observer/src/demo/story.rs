//! The story: one client stops reading and is lost, beside others that are not.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use observer_core::Timestamp;
use tokio::sync::mpsc;

use super::client::{Client, ClientError, ClientOptions};
use super::server::{Server, ServerEvent, ServerEventKind, ServerOptions};
use crate::source::live::ObservationClock;

/// More lines than the story has; should nobody listen, the rest is not told.
const LINES: usize = 64;

/// One line of what the actors really did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narration {
    /// When, on the observation clock.
    pub at: Timestamp,
    /// Who: `server`, or a client by its part.
    pub actor: &'static str,
    /// What, as a sentence without its subject.
    pub text: String,
}

impl fmt::Display for Narration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {:<9} {}", self.at, self.actor, self.text)
    }
}

/// The story. Once it has begun it goes on by itself; the server stays until this is dropped.
#[derive(Debug)]
pub struct Story {
    server: Server,
    net_write_timeout: Duration,
    narration: mpsc::Receiver<Narration>,
    director: JoinHandle<()>,
    curtain: Arc<Curtain>,
}

impl Story {
    /// The net_write_timeout of the story; everything in it happens in parts of that time, 2.4 times of it in
    /// all.
    pub const NET_WRITE_TIMEOUT: Duration = Duration::from_secs(12);

    /// Starts the server on a free port of 127.0.0.1. The clients wait for [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// When there is no such port, no clock or no thread to be had.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(Self::NET_WRITE_TIMEOUT, |_| {})
    }

    /// The same with another timeout, telling the server's side of it also to `on_event`.
    fn start_with(
        net_write_timeout: Duration,
        on_event: impl Fn(&ServerEvent) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let clock = ObservationClock::new()?;
        let (lines, narration) = mpsc::channel(LINES);
        // The server outlives the story; when the last actor has gone, the narration ends all the same.
        let server_lines = lines.downgrade();
        let options = ServerOptions { net_write_timeout, ..ServerOptions::default() };
        let server = Server::start(options, clock, move |event| {
            if let (Some(lines), Some(line)) = (server_lines.upgrade(), narrate(&event)) {
                // Full: see `LINES`.
                let _ = lines.try_send(line);
            }
            on_event(&event);
        })
        .context("starting the server of the demo")?;
        let curtain = Arc::new(Curtain::default());
        let stage = Stage {
            clock,
            lines,
            curtain: Arc::clone(&curtain),
            server: server.address(),
            net_write_timeout,
        };
        let director = thread::Builder::new()
            .name("demo-story".into())
            .spawn(move || stage.play())
            .context("starting the story's thread")?;
        Ok(Self { server, net_write_timeout, narration, director, curtain })
    }

    /// Sends the clients on the stage, now that somebody watches.
    pub fn begin(&self) {
        self.curtain.rise();
    }

    /// The server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// The server's net_write_timeout.
    pub fn net_write_timeout(&self) -> Duration {
        self.net_write_timeout
    }

    /// What the actors do, as they do it. The channel ends with the story.
    pub fn narration(&mut self) -> &mut mpsc::Receiver<Narration> {
        &mut self.narration
    }

    /// Whether every actor has played its part to the end.
    pub fn finished(&self) -> bool {
        self.director.is_finished()
    }
}

impl Drop for Story {
    /// Sends the actors home; the server, which goes next, closes their connections.
    fn drop(&mut self) {
        self.curtain.fall();
    }
}

/// What every client of the story needs.
struct Stage {
    clock: ObservationClock,
    lines: mpsc::Sender<Narration>,
    curtain: Arc<Curtain>,
    server: SocketAddr,
    net_write_timeout: Duration,
}

/// How an actor's part ended before its end.
enum Exit {
    /// Its connection failed.
    Failed(ClientError),
    /// The story was broken off.
    SentHome,
}

impl From<ClientError> for Exit {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

impl Stage {
    fn play(&self) {
        let timeout = self.net_write_timeout.as_secs_f64();
        self.tell("server", format!("listens on {}, net_write_timeout {timeout} s", self.server));
        if !self.curtain.rises() {
            return;
        }
        thread::scope(|scope| {
            for (actor, part) in [
                ("dashboard", Self::dashboard as fn(&Self) -> Result<(), Exit>),
                ("report", Self::report),
                ("export", Self::export),
                ("lookup", Self::lookup),
            ] {
                scope.spawn(move || {
                    if let Err(Exit::Failed(error)) = part(self) {
                        self.tell(actor, format!("failed: {error}"));
                    }
                });
            }
        });
    }

    /// Reads as rows come, until the end of the story.
    fn dashboard(&self) -> Result<(), Exit> {
        let mut client = self.enter("dashboard", None)?;
        let rows = self.share(2.4).as_millis() / 10;
        client.query(&format!("SELECT id, payload, SLEEP(0.01) FROM readings LIMIT {rows}"))?;
        self.tell("dashboard", format!("{} reads every row as it comes", client.address()));
        while client.read_rows(1)? > 0 {}
        self.tell("dashboard", format!("got all {} rows", client.rows()));
        Ok(client.quit()?)
    }

    /// Pauses for less than the timeout.
    fn report(&self) -> Result<(), Exit> {
        let pause = self.share(0.65);
        let mut client = self.enter("report", None)?;
        client.query("SELECT id, payload FROM readings LIMIT 20000")?;
        client.read_rows(8)?;
        self.tell("report", format!("{} reads 8 rows and pauses for {:.1?}", client.address(), pause));
        self.wait(pause)?;
        self.tell("report", "reads on, in time".to_owned());
        while client.read_rows(1_000)? > 0 {}
        self.tell("report", format!("got all {} rows", client.rows()));
        self.wait(self.share(1.5))?;
        Ok(client.quit()?)
    }

    /// Stops reading for longer than the timeout, and only learns of it when it has read what was left.
    fn export(&self) -> Result<(), Exit> {
        self.wait(self.share(0.1))?;
        let mut client = self.enter("export", None)?;
        client.query("SELECT id, payload FROM readings")?;
        client.read_rows(8)?;
        self.tell("export", format!("{} reads 8 of 400000 rows and stops reading", client.address()));
        let stopped = self.clock.now();
        self.wait(self.share(1.5))?;
        self.tell("export", "reads on and knows of nothing".to_owned());
        // About 4 MB wait in the two kernels. What is read at first makes room for the rest and the FIN behind it;
        // at the pace that follows, the application takes half the timeout to come to it.
        client.read_rows(3_000)?;
        let failure = loop {
            self.wait(self.share(0.004))?;
            match client.read_rows(8) {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        let after = self.clock.now().since(stopped).as_secs_f64();
        let rows = client.rows();
        self.tell(
            "export",
            match failure {
                Some(error) => format!("fails after {rows} rows, {after:.1} s after it stopped: {error}"),
                None => format!("got all {rows} rows"),
            },
        );
        Ok(())
    }

    /// Stops reading as well, but the rest of its result fits into the server's send buffer: mysqld does not
    /// wait for it, and no timeout runs.
    fn lookup(&self) -> Result<(), Exit> {
        self.wait(self.share(0.25))?;
        let mut client = self.enter("lookup", Some(4_096))?;
        client.query("SELECT id, payload FROM readings LIMIT 60")?;
        client.read_rows(1)?;
        self.tell("lookup", format!("{} reads 1 of 60 rows and stops reading", client.address()));
        self.wait(self.share(1.3))?;
        while client.read_rows(1)? > 0 {}
        self.tell("lookup", format!("got all {} rows: nobody was waiting for it", client.rows()));
        Ok(client.quit()?)
    }

    fn enter(&self, actor: &str, receive_buffer: Option<usize>) -> Result<Client, ClientError> {
        Client::connect(self.server, &ClientOptions { user: actor.to_owned(), receive_buffer })
    }

    fn tell(&self, actor: &'static str, text: String) {
        // Full: see `LINES`.
        let _ = self.lines.try_send(Narration { at: self.clock.now(), actor, text });
    }

    fn share(&self, share: f64) -> Duration {
        self.net_write_timeout.mul_f64(share)
    }

    fn wait(&self, duration: Duration) -> Result<(), Exit> {
        if self.curtain.fallen_within(duration) { Err(Exit::SentHome) } else { Ok(()) }
    }
}

/// What the server's event is in the story; most of them say nothing new.
fn narrate(event: &ServerEvent) -> Option<Narration> {
    let ServerEventKind::Aborted { waiting_since, sent, .. } = event.kind else { return None };
    let waited = event.at.since(waiting_since).as_secs_f64();
    let text = format!(
        "has waited {waited:.1} s for {} to read, and closes; the kernel holds what is left of {sent} bytes",
        event.client
    );
    Some(Narration { at: event.at, actor: "server", text })
}

/// Rises when the story begins, and falls when it is broken off.
#[derive(Debug, Default)]
struct Curtain {
    position: Mutex<Position>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    #[default]
    Down,
    Up,
    Fallen,
}

impl Curtain {
    fn rise(&self) {
        self.go(Position::Up);
    }

    fn fall(&self) {
        self.go(Position::Fallen);
    }

    fn go(&self, position: Position) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
        self.changed.notify_all();
    }

    /// Waits until it rises; `false` when it falls before.
    fn rises(&self) -> bool {
        let position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.changed.wait_while(position, |position| *position == Position::Down);
        *position.unwrap_or_else(PoisonError::into_inner) == Position::Up
    }

    fn fallen_within(&self, duration: Duration) -> bool {
        let position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let (position, _) = self
            .changed
            .wait_timeout_while(position, duration, |position| *position == Position::Up)
            .unwrap_or_else(PoisonError::into_inner);
        *position == Position::Fallen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long, so that the pause of `report`, which lasts 0.65 of it, stays shorter on a machine that is busy.
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// The lines of one actor.
    fn of(actor: &str, lines: &[Narration]) -> Vec<String> {
        lines.iter().filter(|line| line.actor == actor).map(|line| line.text.clone()).collect()
    }

    #[test]
    fn each_actor_plays_its_part() {
        let (events, aborted) = std::sync::mpsc::channel();
        let mut story = Story::start_with(TIMEOUT, move |event| {
            if matches!(event.kind, ServerEventKind::Aborted { .. }) {
                // The test has ended when nobody takes it.
                let _ = events.send(event.clone());
            }
        })
        .unwrap();
        story.begin();
        let mut lines = Vec::new();
        while let Some(line) = story.narration().blocking_recv() {
            lines.push(line);
        }
        // Who got all its rows was not given up on.
        assert!(of("dashboard", &lines).last().unwrap().starts_with("got all 1200 rows"), "{lines:#?}");
        assert!(of("report", &lines).last().unwrap().starts_with("got all 20000 rows"), "{lines:#?}");
        assert!(of("lookup", &lines).last().unwrap().starts_with("got all 60 rows"), "{lines:#?}");
        let failure = of("export", &lines).pop().unwrap();
        assert!(failure.ends_with("2013 Lost connection to MySQL server during query"), "{failure}");

        let abort = aborted.try_recv().expect("the server gave up on one client");
        let ServerEventKind::Aborted { waiting_since, timeout, .. } = abort.kind else { unreachable!() };
        assert!(abort.at.since(waiting_since) >= timeout, "{abort:?}");
        assert!(of("export", &lines)[0].starts_with(&abort.client.to_string()), "{abort:?} {lines:#?}");
    }

    #[test]
    fn a_story_that_is_dropped_is_not_played_to_its_end() {
        let mut story = Story::start().unwrap();
        story.begin();
        let first = story.narration().blocking_recv().unwrap();
        assert_eq!(first.actor, "server");
        let (_, empty) = mpsc::channel(1);
        let mut rest = std::mem::replace(story.narration(), empty);
        drop(story);
        while let Some(line) = rest.blocking_recv() {
            assert!(!line.text.starts_with("got all"), "{line} although the story was broken off");
        }
    }
}
