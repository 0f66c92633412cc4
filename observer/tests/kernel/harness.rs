//! A source that observes one port, and what it has told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use observer::source::live::{LiveOptions, LiveSource, ObservationClock, start};
use observer_core::{
    Event, EventKind, SocketEvent, SocketEventKind, SourceEvent, Timestamp, Vantage, WireSample,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::privilege::is_root;

/// Nothing here takes longer but on a machine that is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// A greeting as MySQL 9.7 sends it, cut short: version 9.7.4-2, thread 36.
pub(crate) const GREETING: &[u8] = b"\x14\0\0\0\x0a9.7.4-2\0\x24\0\0\0saltsal";

/// Runs a test in the kind of runtime the observer has.
pub(crate) fn run(test: &str, body: impl Future<Output = ()>) {
    if is_root(test, "loading the kernel programs") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(body);
    }
}

/// A listener on a free port.
pub(crate) async fn listen(ip: IpAddr) -> TcpListener {
    TcpListener::bind((ip, 0)).await.unwrap()
}

/// Connects with a receive buffer that is soon full. Both ends: client, server.
pub(crate) async fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let address = listener.local_addr().unwrap();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.set_recv_buffer_size(16_384).unwrap();
    let (client, accepted) = tokio::join!(socket.connect(address), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// Writes until the socket takes no more. Returns how many bytes it took.
pub(crate) async fn fill(writer: &TcpStream) -> u64 {
    let block = vec![b'r'; 16_384];
    let mut sent = 0;
    loop {
        match writer.try_write(&block) {
            Ok(length) => sent += length as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
        // What loopback delivers is acknowledged meanwhile.
        tokio::task::yield_now().await;
    }
}

/// What a source has told so far.
pub(crate) struct Observed {
    source: LiveSource,
    pub(crate) events: Vec<Event>,
    pub(crate) server: SocketAddr,
}

impl Observed {
    /// Begins to observe the listener's port.
    pub(crate) async fn start(listener: &TcpListener) -> Self {
        Self::start_with(listener, LiveOptions::default()).await
    }

    /// The same with options, but for the port.
    pub(crate) async fn start_with(listener: &TcpListener, options: LiveOptions) -> Self {
        Self::start_with_at(listener.local_addr().unwrap(), options).await
    }

    /// The same for a listener on another host of ours.
    pub(crate) async fn start_at(server: SocketAddr) -> Self {
        Self::start_with_at(server, LiveOptions::default()).await
    }

    async fn start_with_at(server: SocketAddr, options: LiveOptions) -> Self {
        let options = LiveOptions { ports: vec![server.port()], poll: Duration::from_millis(100), ..options };
        let source = start(&options, ObservationClock::new().unwrap()).await.unwrap();
        assert_eq!(source.degraded(), [], "this host does not let every program run");
        Self { source, events: Vec::new(), server }
    }

    /// Reads on until this gives something.
    ///
    /// # Panics
    ///
    /// When it does not in good time: with what was told.
    pub(crate) async fn until<T>(&mut self, what: &str, found: impl Fn(&Self) -> Option<T>) -> T {
        let told = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = found(self) {
                    return found;
                }
                let batch = self.source.events.recv().await.expect("the source has ended");
                self.events.extend(batch);
            }
        })
        .await;
        told.unwrap_or_else(|_| panic!("{what} was not told; told was: {:#?}", self.events))
    }

    /// Ends the source, and takes what it says last.
    pub(crate) async fn end(&mut self) {
        let LiveSource { running, events, .. } = &mut self.source;
        let mut ended = std::pin::pin!(running.end());
        loop {
            tokio::select! {
                () = &mut ended => break,
                Some(batch) = events.recv() => self.events.extend(batch),
            }
        }
        while let Ok(batch) = events.try_recv() {
            self.events.extend(batch);
        }
    }

    /// Reads on until the socket at this end has told something that fits. Returns when it happened.
    pub(crate) async fn until_told(
        &mut self,
        seen_at: Vantage,
        what: &str,
        fits: impl Fn(&SocketEventKind) -> bool,
    ) -> Timestamp {
        self.until(what, |told| {
            let mut events = told.events.iter().filter_map(|event| Some((event.at, socket_event(event)?)));
            events.find(|(_, event)| event.socket.seen_at == seen_at && fits(&event.kind)).map(|(at, _)| at)
        })
        .await
    }

    /// Everything told of sockets.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = &SocketEvent> {
        self.events.iter().filter_map(socket_event)
    }

    /// The last sample of the socket at this end.
    pub(crate) fn last_sample(&self, seen_at: Vantage) -> Option<&WireSample> {
        let samples = self.sockets().filter(|event| event.socket.seen_at == seen_at);
        samples
            .filter_map(
                |event| if let SocketEventKind::Wire(sample) = &event.kind { Some(&**sample) } else { None },
            )
            .last()
    }

    /// How many observations were lost.
    pub(crate) fn lost(&self) -> u64 {
        let count =
            |event: &SourceEvent| if let SourceEvent::EventsLost { count, .. } = event { *count } else { 0 };
        self.source_events().map(count).sum()
    }

    /// What was told of the source itself.
    pub(crate) fn source_events(&self) -> impl Iterator<Item = &SourceEvent> {
        self.events
            .iter()
            .filter_map(|event| if let EventKind::Source(event) = &event.kind { Some(event) } else { None })
    }
}

fn socket_event(event: &Event) -> Option<&SocketEvent> {
    if let EventKind::Socket(event) = &event.kind { Some(event) } else { None }
}
