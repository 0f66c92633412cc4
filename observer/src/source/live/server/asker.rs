//! Asking one server, for as long as the program runs. Whatever the server does, the observing goes on without waiting.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use observer_core::{
    Event, EventKind, Flow, ServerSession, SocketEvent, SocketEventKind, SocketRef, SourceEvent, Timestamp,
    Vantage,
};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::client::Client;
use super::matching::{Identity, List};
use super::questions::{CLOSELY, Faculties, Listed, Timeouts};
use super::roll::{Named, Roll};
use super::trouble::Trouble;
use super::{Server, WITHOUT_ALL};
use crate::mysql::Statements;
use crate::source::live::ObservationClock;

/// Between two questions while nothing stands still.
const CALM: Duration = Duration::from_secs(10);

/// Between two questions while something does.
const TROUBLED: Duration = Duration::from_secs(1);

/// Between two questions at the least: when something begins to stand still, or has passed its deadline.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Before the first new attempt, and before the later ones at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// The same trouble is told again after this time.
const AGAIN: Duration = Duration::from_secs(600);

/// What is known of a connection's session.
struct Known {
    listed: Listed,
    timeouts: Timeouts,
    /// Whether its timeouts were asked for.
    is_asked: bool,
    /// Whether it was told.
    is_told: bool,
}

/// Asks one server.
pub(super) struct Asker {
    server: Server,
    statements: Statements,
    roll: watch::Receiver<Roll>,
    events: mpsc::Sender<Vec<Event>>,
    clock: ObservationClock,
    known: HashMap<SocketRef, Known>,
    /// What was told to be missing, and when.
    told: HashMap<String, Timestamp>,
    /// Before the next attempt.
    pause: Duration,
}

/// A session at the server, and when it was asked last.
struct Session {
    client: Client,
    faculties: Faculties,
    /// The last question.
    asked_at: Timestamp,
    /// The last question for all, and who they were.
    all_at: Timestamp,
    all: Arc<Vec<Named>>,
    /// Those that stood still then.
    troubled: HashSet<SocketRef>,
}

/// What a server says of a few sessions.
struct Answers {
    asked_at: Timestamp,
    /// When the process list was there.
    at: Timestamp,
    listed: Vec<Listed>,
    statements: HashMap<u64, String>,
}

impl Asker {
    pub(super) fn new(
        server: Server,
        statements: Statements,
        roll: watch::Receiver<Roll>,
        events: mpsc::Sender<Vec<Event>>,
        clock: ObservationClock,
    ) -> Self {
        let (known, told) = (HashMap::new(), HashMap::new());
        Self { server, statements, roll, events, clock, known, told, pause: PAUSES[0] }
    }

    /// Goes on until the program ends.
    pub(super) async fn run(mut self) {
        while !self.events.is_closed() {
            let Err(trouble) = self.ask().await;
            let part = format!("the answers of {}", self.server.place);
            self.tell(part, trouble.to_string(), WITHOUT_ALL).await;
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSES[1]);
        }
    }

    /// Logs in, and asks until that fails.
    async fn ask(&mut self) -> Result<Infallible, Trouble> {
        let (events, clock) = (self.events.clone(), self.clock);
        let announce = async |flow: Flow| {
            // Before anything is seen of it. Nobody listens any more: nobody to tell.
            let _ = events
                .send(vec![own(clock.now(), SocketRef { flow, seen_at: Vantage::Client, cookie: None })])
                .await;
        };
        let mut client = Client::open(&self.server, announce).await?;
        let faculties = Faculties::of(&mut client, self.statements).await?;
        for lack in &faculties.lacks {
            let part = format!("a part of the answers of {}", self.server.place);
            self.tell(part, lack.because.clone(), lack.without).await;
        }
        let epoch = Timestamp::EPOCH;
        let mut session = Session {
            client,
            faculties,
            asked_at: epoch,
            all_at: epoch,
            all: Arc::default(),
            troubled: HashSet::new(),
        };
        loop {
            let roll = self.roll.borrow_and_update().clone();
            let now = self.clock.now();
            let due = session.due(&roll, now);
            if due <= now {
                let answers = self.round(&mut session, &roll).await?;
                self.pause = PAUSES[0];
                if !answers.is_empty() {
                    // Not all of it is told again: without room for it the next question has to wait. Nobody listens
                    // any more: nobody to tell.
                    let _ = self.events.send(answers).await;
                }
                continue;
            }
            tokio::select! {
                () = sleep(due.since(now)) => {}
                changed = self.roll.changed() => if changed.is_err() {
                    // The program ends.
                    return std::future::pending().await;
                },
            }
        }
    }

    /// Asks once.
    async fn round(&mut self, session: &mut Session, roll: &Roll) -> Result<Vec<Event>, Trouble> {
        let now = self.clock.now();
        let troubled = || roll.troubled.iter().take(CLOSELY).map(|named| named.socket);
        // One that was looked for and not found is another server's: looked for again when all are named anew.
        let is_new =
            troubled().any(|socket| !self.known.contains_key(&socket) && !session.troubled.contains(&socket));
        let mut events = Vec::new();
        if is_new || session.has_news(roll) || session.all_at + CALM <= now {
            events.extend(self.recognise(session, roll).await?);
            (session.all_at, session.all) = (now, Arc::clone(&roll.all));
        }
        session.asked_at = now;
        session.troubled = roll.troubled.iter().map(|named| named.socket).collect();
        let of = |socket| self.known.get(&socket).map(|known| (socket, known.listed.id));
        let closely: Vec<_> = troubled().filter_map(of).collect();
        let ids: Vec<_> = closely.iter().map(|(_, id)| *id).collect();
        let answers = session.ask_about(&ids, self.clock).await?;
        self.ask_timeouts(session, ids).await?;
        for (socket, id) in closely {
            let Some(known) = self.known.get_mut(&socket) else { continue };
            // A number that is another client's now was given out anew, by a server that has started anew.
            if let Some(row) =
                answers.listed.iter().find(|row| row.id == id && row.client == known.listed.client)
            {
                known.listed.clone_from(row);
                known.is_told = true;
                let statement = answers.statements.get(&id);
                events.push(about(answers.asked_at, socket, told(known, &session.faculties, statement)));
            } else {
                self.known.remove(&socket);
                events.push(about(answers.at, socket, SocketEventKind::SessionGone { thread_id: id }));
            }
        }
        for (socket, known) in self.known.iter_mut().filter(|(_, known)| known.is_asked && !known.is_told) {
            known.is_told = true;
            events.push(about(answers.asked_at, *socket, told(known, &session.faculties, None)));
        }
        Ok(events)
    }

    /// Asks for the timeouts of these sessions, and of some of those that were not asked for yet.
    async fn ask_timeouts(&mut self, session: &mut Session, mut ids: Vec<u64>) -> Result<(), Trouble> {
        let unasked = self.known.values().filter(|known| !known.is_asked).map(|known| known.listed.id);
        let unasked: Vec<_> = unasked.filter(|id| !ids.contains(id)).collect();
        ids.extend(unasked.into_iter().take(CLOSELY.saturating_sub(ids.len())));
        let timeouts = session.client.timeouts(&session.faculties, &ids).await?;
        let asked: HashSet<u64> = ids.into_iter().collect();
        for known in self.known.values_mut().filter(|known| asked.contains(&known.listed.id)) {
            known.is_asked = true;
            if let Some(timeouts) = timeouts.get(&known.listed.id) {
                known.is_told &= known.timeouts == *timeouts;
                known.timeouts = *timeouts;
            }
        }
        Ok(())
    }

    /// Finds the connections in the process list.
    async fn recognise(&mut self, session: &mut Session, roll: &Roll) -> Result<Vec<Event>, Trouble> {
        let rows = session.client.sessions(&session.faculties, None).await?;
        let identity = Identity { address: session.client.address, port: session.faculties.port };
        let list = List::new(identity, &rows);
        let named = || roll.all.iter().chain(roll.troubled.iter());
        let here: HashSet<SocketRef> = named().map(|named| named.socket).collect();
        self.known.retain(|socket, _| here.contains(socket));
        let mut events = Vec::new();
        for named in named().filter(|named| !self.known.contains_key(&named.socket)).collect::<Vec<&Named>>()
        {
            let Some(row) = list.find(named) else { continue };
            if row.id == session.faculties.own {
                // Something relays it: it is seen a second time, by other addresses.
                events.push(own(self.clock.now(), named.socket));
                continue;
            }
            let known =
                Known { listed: row.clone(), timeouts: Timeouts::default(), is_asked: false, is_told: false };
            self.known.insert(named.socket, known);
        }
        Ok(events)
    }

    /// Tells that something is missing, unless that was told lately.
    async fn tell(&mut self, part: String, because: String, without: &str) {
        let now = self.clock.now();
        self.told.retain(|_, at| *at + AGAIN > now);
        let key = format!("{part} {because} {without}");
        if self.told.contains_key(&key) {
            return;
        }
        self.told.insert(key, now);
        let event = SourceEvent::Degraded { part, because, without: without.to_owned() };
        // Nobody listens any more: nobody to tell.
        let _ = self.events.send(vec![Event { at: now, kind: EventKind::Source(event) }]).await;
    }
}

impl Session {
    /// Asks about a few sessions.
    async fn ask_about(&mut self, ids: &[u64], clock: ObservationClock) -> Result<Answers, Trouble> {
        let asked_at = clock.now();
        let listed = match ids {
            [] => Vec::new(),
            ids => self.client.sessions(&self.faculties, Some(ids)).await?,
        };
        let at = clock.now();
        let statements = self.client.statements(&self.faculties, ids).await?;
        Ok(Answers { asked_at, at, listed, statements })
    }

    /// Whether all connections were named anew.
    fn has_news(&self, roll: &Roll) -> bool {
        !Arc::ptr_eq(&self.all, &roll.all)
    }

    /// When to ask next.
    fn due(&self, roll: &Roll, now: Timestamp) -> Timestamp {
        let calm = if self.has_news(roll) { self.asked_at + AT_ONCE } else { self.all_at + CALM };
        if roll.troubled.is_empty() {
            return calm;
        }
        let is_new = roll.troubled.iter().any(|named| !self.troubled.contains(&named.socket));
        let next = self.asked_at + if is_new { AT_ONCE } else { TROUBLED };
        // mysqld takes a moment to end a session after its time is up.
        let deadlines = roll.troubled.iter().filter_map(|named| named.due.map(|due| due + AT_ONCE));
        let deadline = deadlines.filter(|due| *due > self.asked_at).min().unwrap_or(next);
        next.min(deadline.max(self.asked_at + AT_ONCE)).min(calm.max(now))
    }
}

fn told(known: &Known, faculties: &Faculties, statement: Option<&String>) -> SocketEventKind {
    let Known { listed, timeouts, .. } = known;
    SocketEventKind::ServerSession(Box::new(ServerSession {
        thread_id: listed.id,
        version: faculties.version.clone(),
        user: listed.user.clone(),
        command: listed.command.clone(),
        time: listed.time,
        state: listed.state.clone(),
        statement: statement.cloned(),
        net_write_timeout: timeouts.net_write,
        global_net_write_timeout: faculties.net_write_timeout.filter(|_| timeouts.net_write.is_none()),
        wait_timeout: timeouts.wait,
    }))
}

fn about(at: Timestamp, socket: SocketRef, kind: SocketEventKind) -> Event {
    Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }
}

fn own(at: Timestamp, socket: SocketRef) -> Event {
    about(at, socket, SocketEventKind::ObserversOwn)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::DuplexStream;

    use super::*;
    use crate::source::live::server::link::{Answer, Link};

    /// A session at a server that has no other, and counts how often it is asked for all of them.
    async fn serve(wire: DuplexStream, lists: Arc<AtomicUsize>) {
        let Link { mut incoming, mut outgoing } = Link::over(wire);
        while let Some((question, _)) = incoming.next::<String>().await.unwrap() {
            let mut last = Answer::Done;
            if question.contains("@@version") {
                let row = ["7", "o@%", "3306", "60", "11.4.10-MariaDB"].map(|cell| Some(cell.to_owned()));
                outgoing.say(&Answer::Row(row.to_vec())).await.unwrap();
            } else if question.contains("SELECT ID, USER") {
                lists.fetch_add(usize::from(!question.contains("WHERE")), Ordering::Relaxed);
            } else {
                last = Answer::Failed(Trouble::Refused { code: 1142, message: "denied".to_owned() });
            }
            outgoing.say(&last).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_of_another_server_is_looked_for_once() {
        let (wire, client) = tokio::io::duplex(1 << 12);
        let lists = Arc::<AtomicUsize>::default();
        tokio::spawn(serve(wire, lists.clone()));
        let mut client = Client::over(client);
        let faculties = Faculties::of(&mut client, Statements::None).await.unwrap();
        let url = "mysql://o@localhost?socket=/s".parse().unwrap();
        let server = Server::all(&[url], &[]).unwrap().remove(0);
        let clock = ObservationClock::new().unwrap();
        let mut asker = Asker::new(
            server,
            Statements::None,
            watch::channel(Roll::default()).1,
            mpsc::channel(1).0,
            clock,
        );
        let flow =
            Flow { client: "10.0.0.1:40000".parse().unwrap(), server: "10.0.0.2:3306".parse().unwrap() };
        let named = |port: u16| Named {
            socket: SocketRef {
                flow: Flow { client: (flow.client.ip(), port).into(), ..flow },
                seen_at: Vantage::Client,
                cookie: None,
            },
            thread_id: None,
            is_server_here: false,
            is_troubled: true,
            due: None,
        };
        let mut roll = Roll { all: Arc::default(), troubled: Arc::new(vec![named(1)]) };
        let mut session = Session {
            client,
            faculties,
            asked_at: clock.now(),
            all_at: clock.now(),
            all: Arc::clone(&roll.all),
            troubled: HashSet::new(),
        };
        for _ in 0..3 {
            asker.round(&mut session, &roll).await.unwrap();
        }
        assert_eq!(lists.load(Ordering::Relaxed), 1);
        roll.troubled = Arc::new(vec![named(1), named(2)]);
        asker.round(&mut session, &roll).await.unwrap();
        assert_eq!(lists.load(Ordering::Relaxed), 2, "one that was not looked for yet");
        roll.all = Arc::new(vec![named(1), named(2)]);
        asker.round(&mut session, &roll).await.unwrap();
        assert_eq!(lists.load(Ordering::Relaxed), 3, "all were named anew");
    }
}
