//! Scripted observations, at fixed moments.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use observer_core::{
    DirectionSample, End, Event, EventKind, Flow, LastRead, LossPoint, MILESTONE_STEP, Milestone, Owner,
    Owners, Process, SeqNumber, SocketEvent, SocketEventKind, SocketRef, SocketSample, SourceEvent, TcpState,
    TimerKind, Timestamp, Vantage, WireSample,
};

/// When every story begins: 2024-05-04T14:03:00Z.
const START: Timestamp = Timestamp::from_micros(1_714_831_380_000_000);

/// The moment `millis` after the beginning.
pub(crate) fn at(millis: u64) -> Timestamp {
    START + Duration::from_millis(millis)
}

/// One connection, and what happens to it in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    socket: SocketRef,
    sent: u64,
    acknowledged: u64,
    window: u32,
    zero_windows: u32,
    milestones: Vec<Milestone>,
    last_read: Option<LastRead>,
    pub(crate) events: Vec<Event>,
}

impl Story {
    /// A connection of `client`, opened at `millis` and seen on the client's host.
    pub(crate) fn of(client: &str, millis: u64) -> Self {
        let flow = Flow { client: client.parse().unwrap(), server: SocketAddr::from(([10, 2, 0, 5], 3306)) };
        let cookie = Some(u64::from(flow.client.port()));
        let socket = SocketRef { flow, seen_at: Vantage::Client, cookie };
        let story = Self {
            socket,
            sent: 0,
            acknowledged: 0,
            window: 65_536,
            zero_windows: 0,
            milestones: vec![],
            last_read: None,
            events: vec![],
        };
        let syn = |by, seq| SocketEventKind::Syn { by, window_scale: Some(7), seq: SeqNumber(seq) };
        let process = Process { pid: 4711, tid: None, comm: "python3".to_owned() };
        let (from, to) = (TcpState::SynSent, TcpState::Established);
        story
            .then(millis, syn(End::Client, 1000))
            .then(millis, syn(End::Server, 5000))
            .then(millis, SocketEventKind::State { from, to, process: Some(process) })
    }

    /// The same as of now on, but told by the server's host.
    pub(crate) fn seen_at(mut self, end: End) -> Self {
        self.socket.seen_at = end.into();
        for event in &mut self.events {
            if let EventKind::Socket(event) = &mut event.kind {
                event.socket.seen_at = end.into();
            }
        }
        self
    }

    /// The server's greeting.
    pub(crate) fn greeting(self, millis: u64) -> Self {
        let version = "8.4.3".to_owned();
        self.then(millis, SocketEventKind::Greeting { version, thread_id: 8812, capabilities: None })
    }

    /// The process that opened it, and another that has inherited it, are known.
    pub(crate) fn owned(self, millis: u64) -> Self {
        let owner = |pid, command: &str| Owner {
            process: Process { pid, tid: None, comm: "python3".to_owned() },
            started_at: START,
            command: Some(command.to_owned()),
            uid: Some(1000),
            user: Some("etl".to_owned()),
            unit: Some("etl.service".to_owned()),
            container: None,
            pod: None,
            cgroup: Some("/system.slice/etl.service".to_owned()),
            netns: Some(4_026_531_840),
        };
        let processes = [owner(4711, "python3 etl.py --password=***"), owner(4712, "\u{1b}[2Jx")];
        let processes = processes.map(Arc::new).to_vec();
        let owners = Owners { uid: Some(1000), user: Some("etl".to_owned()), processes, more: 3 };
        self.then(millis, SocketEventKind::Owners(Box::new(owners)))
    }

    /// Anything.
    pub(crate) fn then(mut self, millis: u64, kind: SocketEventKind) -> Self {
        let kind = EventKind::Socket(SocketEvent { socket: self.socket, kind });
        self.events.push(Event { at: at(millis), kind });
        self
    }

    /// The server sends `bytes` and the client acknowledges all but `in_flight` of them.
    pub(crate) fn flow(mut self, millis: u64, bytes: u64, in_flight: u64, window: u32) -> Self {
        self.sent += bytes;
        self.acknowledged = self.sent - in_flight;
        self.window = window;
        self.wire(millis)
    }

    /// Rows stream from `from` to `to`, a sample each half second.
    pub(crate) fn stream(mut self, from: u64, to: u64, rate: u64, window: u32) -> Self {
        for millis in (from..to).step_by(500) {
            self = self.flow(millis, rate / 2, rate / 20, window);
        }
        self
    }

    /// The window closes.
    pub(crate) fn zero_window(mut self, millis: u64) -> Self {
        // The server fills the window to its edge, which does not move back, and does so at once.
        let before = self.acknowledged;
        self.sent = self.acknowledged + u64::from(self.window);
        self.acknowledged = self.sent;
        let steps = (before / MILESTONE_STEP + 1)..=(self.acknowledged / MILESTONE_STEP);
        self.milestones =
            steps.map(|step| Milestone { at: at(millis), acknowledged: step * MILESTONE_STEP }).collect();
        (self.window, self.zero_windows) = (0, self.zero_windows + 1);
        let ack = self.ack();
        self.then(millis, SocketEventKind::ZeroWindow { by: End::Client, ack }).wire(millis + 1)
    }

    /// Probes at these times, each answered.
    pub(crate) fn probes(mut self, times: impl IntoIterator<Item = u64>) -> Self {
        for millis in times {
            self = self
                .then(millis, SocketEventKind::ZeroWindowProbe { by: End::Server })
                .then(millis, SocketEventKind::ZeroWindowProbeAck { by: End::Client });
        }
        self
    }

    /// The window opens.
    pub(crate) fn window_update(mut self, millis: u64, window: u32) -> Self {
        self.window = window;
        let (by, ack) = (End::Client, self.ack());
        self.then(millis, SocketEventKind::WindowUpdate { by, window: Some(window), ack }).wire(millis + 1)
    }

    /// The server closes.
    pub(crate) fn fin_by_server(self, millis: u64) -> Self {
        let seq = SeqNumber(5001 + u32::try_from(self.sent).unwrap());
        self.then(millis, SocketEventKind::Fin { by: End::Server, seq, in_result: None })
    }

    /// The process that opened it reads, but nothing that would open the window.
    pub(crate) fn read(mut self, millis: u64) -> Self {
        let process = Process { pid: 4711, tid: None, comm: "python3".to_owned() };
        self.last_read = Some(LastRead { at: at(millis), process });
        self.wire(millis)
    }

    /// Socket diagnostics with these queues.
    pub(crate) fn socket(self, millis: u64, recv_queue: u32, send_queue: u32) -> Self {
        self.socket_in(TcpState::Established, millis, recv_queue, send_queue)
    }

    /// Those of a socket that its server has closed, and that has yet to send.
    pub(crate) fn orphan(self, millis: u64, send_queue: u32) -> Self {
        self.socket_in(TcpState::FinWait1, millis, 0, send_queue)
    }

    fn socket_in(self, state: TcpState, millis: u64, recv_queue: u32, send_queue: u32) -> Self {
        let at_server = self.socket.seen_at == Vantage::Server;
        let timer = if at_server && self.window == 0 { TimerKind::Persist } else { TimerKind::None };
        let sample = SocketSample {
            state,
            recv_queue,
            send_queue,
            timer,
            timer_expires: Duration::from_secs(10),
            timer_retries: 0,
            send_buffer: 1_340_000,
            send_buffer_used: if at_server { send_queue } else { 0 },
            recv_buffer: 6_291_456,
            recv_buffer_used: recv_queue,
            uid: 1000,
            inode: if state == TcpState::Established { 70_000 } else { 0 },
            rto: Duration::from_millis(204),
            rtt: Duration::from_micros(310),
            backoff: 0,
            last_data_received: Duration::ZERO,
            last_data_sent: Duration::ZERO,
            bytes_acked: self.acknowledged,
            bytes_received: self.acknowledged,
            not_sent: 0,
            notsent_lowat: None,
            send_window: Some(if at_server { self.window } else { 65_536 }),
            recv_window: Some(if at_server { 65_536 } else { self.window }),
            send_window_scale: Some(7),
            recv_window_scale: Some(7),
        };
        self.then(millis, SocketEventKind::Socket(Box::new(sample)))
    }

    fn ack(&self) -> SeqNumber {
        SeqNumber(5001 + u32::try_from(self.acknowledged).unwrap())
    }

    fn wire(self, millis: u64) -> Self {
        let direction = |sent, acknowledged, next_seq, ack, window| DirectionSample {
            segments: 1 + sent / 1448,
            sent,
            acknowledged,
            next_seq,
            ack,
            window: Some(window),
            zero_windows: if window == 0 { self.zero_windows } else { 0 },
            probes: 0,
            probe_acks: 0,
            last_ack_advance: (acknowledged > 0).then(|| at(millis)),
            milestones: if window == 0 { self.milestones.clone() } else { Vec::new() },
            answered: None,
            retransmissions: 0,
        };
        let next = SeqNumber(5001 + u32::try_from(self.sent).unwrap());
        let sample = WireSample {
            client: direction(60, self.acknowledged, SeqNumber(1061), self.ack(), self.window),
            server: direction(self.sent, 60, next, SeqNumber(1061), 65_536),
            last_read: self.last_read.clone(),
            untold_by_client: 0,
            untold_by_server: 0,
        };
        self.then(millis, SocketEventKind::Wire(Box::new(sample)))
    }
}

/// The events of several stories in the order of time.
pub(crate) fn together(stories: impl IntoIterator<Item = Story>) -> Vec<Event> {
    let mut events: Vec<_> = stories.into_iter().flat_map(|story| story.events).collect();
    events.sort_by_key(|event| event.at);
    events
}

/// Observations were lost.
pub(crate) fn events_lost(millis: u64, count: u64) -> Event {
    source(millis, SourceEvent::EventsLost { count, lost_by: LossPoint::RingBuffer })
}

/// The kernel programs are missing.
pub(crate) fn degraded(millis: u64) -> Event {
    source(
        millis,
        SourceEvent::Degraded {
            part: "kernel programs".to_owned(),
            because: "no permission (needs CAP_BPF and CAP_NET_ADMIN)".to_owned(),
            without: "zero windows are seen by polling only".to_owned(),
        },
    )
}

fn source(millis: u64, event: SourceEvent) -> Event {
    Event { at: at(millis), kind: EventKind::Source(event) }
}
