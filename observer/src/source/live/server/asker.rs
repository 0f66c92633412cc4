//! Asking one server, for as long as the program runs. Whatever the server does, the observing goes on without waiting.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use observer_core::{
    Event, EventKind, Flow, ServerSession, SocketEvent, SocketEventKind, SocketRef, SourceEvent, Timestamp,
    Vantage,
};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::client::Client;
use super::lookup::Lookup;
use super::matching::{Identity, List};
use super::pace::{Pace, closely};
use super::questions::{CLOSELY, Faculties, Listed, Timeouts};
use super::roll::{Named, Roll};
use super::trouble::Trouble;
use super::{Server, WITHOUT_ALL};
use crate::mysql::Statements;
use crate::source::live::ObservationClock;

/// Before the first new attempt, and before the later ones at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// The same trouble is told again after this time.
const AGAIN: Duration = Duration::from_secs(600);

/// What is known of a connection's session.
struct Known {
    listed: Listed,
    /// The net_write_timeout that sessions began with when it was found. A later SET GLOBAL is not for it.
    began_with: Option<Duration>,
    timeouts: Timeouts,
    /// Whether its timeouts were asked for.
    is_asked: bool,
    /// Whether it was told.
    is_told: bool,
}

/// What is asked.
pub(super) struct Asked {
    pub(super) server: Server,
    /// Whether no other server is asked.
    pub(super) is_only: bool,
    pub(super) statements: Statements,
}

/// Asks one server.
pub(super) struct Asker {
    asked: Asked,
    roll: watch::Receiver<Roll>,
    events: mpsc::Sender<Vec<Event>>,
    clock: ObservationClock,
    lookup: Lookup,
    known: HashMap<SocketRef, Known>,
    /// At which server.
    known_at: Option<Vec<Option<String>>>,
    /// What was told to be missing, and when.
    told: HashMap<String, Timestamp>,
    /// Before the next attempt.
    pause: Duration,
}

/// A session at the server, and what was asked in it.
struct Session {
    client: Client,
    faculties: Faculties,
    pace: Pace,
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
        asked: Asked,
        roll: watch::Receiver<Roll>,
        events: mpsc::Sender<Vec<Event>>,
        clock: ObservationClock,
    ) -> Self {
        let (lookup, known, told) = (Lookup::default(), HashMap::new(), HashMap::new());
        Self { asked, roll, events, clock, lookup, known, known_at: None, told, pause: PAUSES[0] }
    }

    /// Goes on until the program ends.
    pub(super) async fn run(mut self) {
        while !self.events.is_closed() {
            let Err(trouble) = self.ask().await;
            let part = format!("the answers of {}", self.asked.server.place);
            self.tell(part, trouble.to_string(), WITHOUT_ALL).await;
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSES[1]);
        }
    }

    /// Logs in, and asks until that fails.
    async fn ask(&mut self) -> Result<Infallible, Trouble> {
        let (events, clock) = (self.events.clone(), self.clock);
        let announce = |flow: Flow| {
            let (events, socket) =
                (events.clone(), SocketRef { flow, seen_at: Vantage::Client, cookie: None });
            async move {
                // Before anything is seen of it. Nobody listens any more: nobody to tell.
                let _ = events.send(vec![own(clock.now(), socket)]).await;
            }
        };
        let mut client = Client::open(&self.asked.server, &mut self.lookup, announce).await?;
        let faculties = Faculties::of(&mut client, self.asked.statements).await?;
        for lack in &faculties.lacks {
            let part = format!("a part of the answers of {}", self.asked.server.place);
            self.tell(part, lack.because.clone(), lack.without).await;
        }
        let mut session = self.begin(client, faculties);
        loop {
            let roll = self.roll.borrow_and_update().clone();
            let now = self.clock.now();
            let due = session.pace.due(&roll, now);
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

    /// Begins to ask. By the same name another server may have been reached than before.
    fn begin(&mut self, client: Client, faculties: Faculties) -> Session {
        if self.known_at.as_ref() != Some(&faculties.identity) {
            self.known.clear();
            self.known_at = Some(faculties.identity.clone());
        }
        Session { client, faculties, pace: Pace::new() }
    }

    /// Asks once.
    async fn round(&mut self, session: &mut Session, roll: &Roll) -> Result<Vec<Event>, Trouble> {
        let now = self.clock.now();
        let mut events = Vec::new();
        if session.pace.wants_all(roll, now, |socket| self.known.contains_key(socket)) {
            events.extend(self.recognise(session, roll).await?);
            session.pace.asked_for_all(roll, now, |socket| self.known.contains_key(socket));
        }
        session.pace.asked(roll, now);
        let of = |socket| self.known.get(&socket).map(|known| (socket, known.listed.id));
        let closely: Vec<_> = closely(roll).filter_map(of).collect();
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
        let began_with = session.client.global_net_write_timeout().await?;
        let rows = session.client.sessions(&session.faculties, None).await?;
        let identity = Identity {
            address: session.client.address,
            port: session.faculties.port,
            is_only: self.asked.is_only,
        };
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
            let known = Known {
                listed: row.clone(),
                began_with,
                timeouts: Timeouts::default(),
                is_asked: false,
                is_told: false,
            };
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
}

fn told(known: &Known, faculties: &Faculties, statement: Option<&String>) -> SocketEventKind {
    let Known { listed, began_with, timeouts, .. } = known;
    SocketEventKind::ServerSession(Box::new(ServerSession {
        thread_id: listed.id,
        version: faculties.version.clone(),
        user: listed.user.clone(),
        command: listed.command.clone(),
        time: listed.time,
        state: listed.state.clone(),
        statement: statement.cloned(),
        net_write_timeout: timeouts.net_write,
        global_net_write_timeout: began_with.filter(|_| timeouts.net_write.is_none()),
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::DuplexStream;

    use super::*;
    use crate::source::live::server::link::{Answer, Link};

    /// The port of the one connection there is.
    const PORT: u16 = 40_000;

    /// A session at a server of this name, whose other sessions begin with this net_write_timeout.
    async fn serve(wire: DuplexStream, name: &str, net_write_timeout: Arc<AtomicU64>) {
        let Link { mut incoming, mut outgoing } = Link::over(wire);
        while let Some((question, _)) = incoming.next::<String>().await.unwrap() {
            let row = if question.contains("@@version") {
                vec!["7", "o@%", "3306", "11.4.10-MariaDB", name, "1"]
            } else if question.contains("@@global") {
                vec!["?"]
            } else if question.contains("SELECT ID, USER") {
                vec!["9", "etl", "10.0.0.1:40000", "Query", "0", ""]
            } else {
                let denied = Trouble::Refused { code: 1142, message: "denied".to_owned() };
                outgoing.say(&Answer::Failed(denied)).await.unwrap();
                continue;
            };
            let timeout = net_write_timeout.load(Ordering::Relaxed).to_string();
            let row = row.into_iter().map(|cell| Some(cell.replace('?', &timeout))).collect();
            outgoing.say(&Answer::Row(row)).await.unwrap();
            outgoing.say(&Answer::Done).await.unwrap();
        }
    }

    fn asker() -> Asker {
        let url = "mysql://o@localhost?socket=/s".parse().unwrap();
        let server = Server::all(&[url], &[]).unwrap().remove(0);
        let asked = Asked { server, is_only: true, statements: Statements::None };
        let clock = ObservationClock::new().unwrap();
        Asker::new(asked, watch::channel(Roll::default()).1, mpsc::channel(1).0, clock)
    }

    fn roll() -> Roll {
        let flow = Flow { client: ([10, 0, 0, 1], PORT).into(), server: "10.0.0.2:3306".parse().unwrap() };
        let named = Named {
            socket: SocketRef { flow, seen_at: Vantage::Client, cookie: None },
            thread_id: Some(9),
            is_server_here: false,
            is_troubled: true,
            due: None,
        };
        Roll { all: Arc::new(vec![named]), troubled: Arc::default() }
    }

    /// What is told in a new session at a server.
    async fn told_by(asker: &mut Asker, name: &'static str, net_write_timeout: u64) -> Vec<Event> {
        let (wire, client) = tokio::io::duplex(1 << 12);
        tokio::spawn(serve(wire, name, Arc::new(net_write_timeout.into())));
        let mut client = Client::over(client);
        let faculties = Faculties::of(&mut client, Statements::None).await.unwrap();
        let mut session = asker.begin(client, faculties);
        asker.round(&mut session, &roll()).await.unwrap()
    }

    fn timeouts(events: &[Event]) -> Vec<Option<Duration>> {
        let told = events.iter().filter_map(|event| match &event.kind {
            EventKind::Socket(SocketEvent { kind: SocketEventKind::ServerSession(session), .. }) => {
                Some(session.global_net_write_timeout)
            }
            _ => None,
        });
        told.collect()
    }

    #[tokio::test]
    async fn what_is_known_holds_for_the_server_that_has_told_it() {
        let mut asker = asker();
        let seconds = |seconds| vec![Some(Duration::from_secs(seconds))];
        assert_eq!(timeouts(&told_by(&mut asker, "one", 60).await), seconds(60));
        assert!(told_by(&mut asker, "one", 70).await.is_empty(), "it began before a SET GLOBAL");
        assert_eq!(timeouts(&told_by(&mut asker, "two", 80).await), seconds(80));
    }
}
