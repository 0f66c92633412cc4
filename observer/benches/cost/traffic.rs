//! Events as the live source tells them, of many connections at once, made in memory.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use observer_core::{
    Account, Connector, DirectionSample, End, Event, EventKind, Flow, Owner, Owners, Process, SeqNumber,
    ServerSession, SocketEvent, SocketEventKind, SocketRef, SocketSample, Statement, StatementKind, TcpState,
    TimerKind, Timestamp, Vantage, WireSample,
};
use serde::Serialize;

/// A connection does something this often.
const STEP: Duration = Duration::from_secs(1);

/// Steps of one connection, from SYN to the end of its socket.
const STEPS: u32 = 100;

/// Steps in which it is neither opened nor closed.
const MIDDLE: Range<u32> = 6..95;

/// What clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Clients {
    /// Of fifty, one stops reading and five read slowly.
    Mixed,
    /// One of fifty stops reading, all others read slowly.
    Slow,
}

/// What `connections` do in the order of time: each takes a step, in another order each time, then each the next one.
/// Their number is to be a prime, so that each step of a walk over them meets all.
pub(crate) fn lives(connections: u32, clients: Clients) -> impl Iterator<Item = Event> {
    let order = move |step: u32| (0..connections).map(move |turn| (turn, turn * (step + 1) % connections));
    (0..STEPS).flat_map(move |step| {
        order(step).map(move |(turn, number)| event(clients, number, step, moment(step, turn, connections)))
    })
}

/// A state of rest: `connections` that are established, each with the samples of its client's socket.
pub(crate) fn established(connections: u32) -> impl Iterator<Item = Event> {
    let kind = |number, step| match step {
        0 => SocketEventKind::Wire(Box::new(wire_sample(number, step))),
        _ => SocketEventKind::Socket(Box::new(socket_sample(step))),
    };
    let step =
        move |number, step| of_connection(number, moment(step, number, connections), kind(number, step));
    (0..connections).flat_map(move |number| [step(number, 0), step(number, 1)])
}

/// The same, with everything that can be known of each: its process, of which there are a thousand, its session, the
/// statement it waits for, and what the server tells of it.
pub(crate) fn known(connections: u32) -> impl Iterator<Item = Event> {
    let mut processes = HashMap::new();
    let facts = (0..connections).flat_map(move |number| {
        let owners = owners(&mut processes, number);
        let kinds = [greeting(number), login(), owners, statement(number), told(number)];
        kinds.into_iter().map(move |kind| of_connection(number, moment(2, number, connections), kind))
    });
    established(connections).chain(facts)
}

/// When the connection does its step whose turn this is.
fn moment(step: u32, turn: u32, connections: u32) -> Timestamp {
    Timestamp::from_micros(1_714_831_200_000_000) + STEP * step + STEP * turn / connections
}

/// What connection `number` does in a step.
fn event(clients: Clients, number: u32, step: u32, at: Timestamp) -> Event {
    let kind = match (clients, number % 50) {
        (_, 0) if MIDDLE.contains(&step) => stalled(step - MIDDLE.start),
        (Clients::Slow, _) | (Clients::Mixed, 1..=5) if MIDDLE.contains(&step) => slow(number, step),
        _ => well(number, step),
    };
    of_connection(number, at, kind)
}

fn of_connection(number: u32, at: Timestamp, kind: SocketEventKind) -> Event {
    // A /8 has addresses for 2^24 clients.
    let client = (Ipv4Addr::from_bits(0x0a00_0000 | (number & 0x00ff_ffff)), 40_000);
    let flow = Flow { client: client.into(), server: ([192, 0, 2, 1], 3306).into() };
    let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: Some(u64::from(number) + 1) };
    Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }
}

/// A life without trouble: of four events three are counters of the kernel programs, one is diagnostics.
fn well(number: u32, step: u32) -> SocketEventKind {
    match step {
        0 => {
            SocketEventKind::State { from: TcpState::Closed, to: TcpState::SynSent, process: Some(process()) }
        }
        1 => SocketEventKind::Syn { by: End::Client, window_scale: Some(7), seq: SeqNumber(number) },
        2 => SocketEventKind::Syn { by: End::Server, window_scale: Some(7), seq: SeqNumber(0) },
        3 => SocketEventKind::State { from: TcpState::SynSent, to: TcpState::Established, process: None },
        4 => greeting(number),
        5 => SocketEventKind::Login { capabilities: 0x19ff_a685, tls: false, account: None },
        // COM_QUIT.
        95 => SocketEventKind::Command { length: 1, text: "\u{1}".to_owned() },
        96 => SocketEventKind::Fin { by: End::Client, seq: SeqNumber(5_000), in_result: None },
        97 => SocketEventKind::Fin { by: End::Server, seq: SeqNumber(1_000_000), in_result: Some(false) },
        98 => SocketEventKind::State { from: TcpState::LastAck, to: TcpState::Closed, process: None },
        99 => SocketEventKind::Destroyed,
        _ if step.is_multiple_of(4) => SocketEventKind::Socket(Box::new(socket_sample(step))),
        _ => SocketEventKind::Wire(Box::new(wire_sample(number, step))),
    }
}

/// A window that closes and opens, with counters in between.
fn slow(number: u32, step: u32) -> SocketEventKind {
    let (by, ack) = (End::Client, SeqNumber(step * 10_000));
    match step % 4 {
        0 => SocketEventKind::ZeroWindow { by, ack },
        2 => SocketEventKind::WindowUpdate { by, window: Some(65_536), ack },
        _ => well(number, step),
    }
}

/// A window that closes, is probed again and again, and stays closed.
fn stalled(step: u32) -> SocketEventKind {
    match step {
        0 => SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(10_000) },
        _ if step % 2 == 1 => SocketEventKind::ZeroWindowProbe { by: End::Server },
        _ => SocketEventKind::ZeroWindowProbeAck { by: End::Client },
    }
}

fn process() -> Process {
    Process { pid: 4711, tid: None, comm: "reader".to_owned() }
}

fn greeting(number: u32) -> SocketEventKind {
    let version = "8.0.36".to_owned();
    SocketEventKind::Greeting { version, thread_id: number, capabilities: Some(0xdfff_ffff) }
}

fn login() -> SocketEventKind {
    let text = |text: &str| Some(text.to_owned());
    let connector = Connector {
        name: text("aiomysql"),
        version: text("0.2.0"),
        program: text("etl.py"),
        pid: Some(4711),
    };
    let account = Account { user: text("app"), database: text("orders"), connector: Some(connector) };
    SocketEventKind::Login { capabilities: 0x19ff_a685, tls: false, account: Some(Box::new(account)) }
}

/// One of a thousand processes, told once for all of its sockets, has it open.
fn owners(known: &mut HashMap<u32, Arc<Owner>>, number: u32) -> SocketEventKind {
    let text = |text: &str| Some(text.to_owned());
    let pid = 4711 + number % 1_000;
    let owner = || Owner {
        process: Process { pid, ..process() },
        started_at: Timestamp::from_micros(1_714_831_100_000_000),
        command: text("/usr/bin/python3 /srv/etl/etl.py --config /etc/etl/orders.toml --password=***"),
        uid: Some(1_000),
        user: text("etl"),
        unit: text("etl-worker@7.service"),
        container: text("docker 3f4ac0a1b2c3"),
        pod: None,
        cgroup: text("/system.slice/system-etl.slice/etl-worker@7.service"),
        netns: Some(4_026_531_840),
    };
    let owner = known.entry(pid).or_insert_with(|| Arc::new(owner()));
    let (uid, user, processes) = (Some(1_000), text("etl"), vec![Arc::clone(owner)]);
    SocketEventKind::Owners(Box::new(Owners { uid, user, processes, more: 0 }))
}

fn statement(number: u32) -> SocketEventKind {
    let text =
        "SELECT id, customer, total, placed_at FROM orders WHERE region = ? AND placed_at > ? ORDER BY id";
    SocketEventKind::Statement(Box::new(Statement {
        sent_at: moment(1, number, number + 1),
        command: StatementKind::Query,
        length: 130,
        text: Some(text.to_owned()),
        cut: false,
        cursor: false,
        in_result: Some(true),
    }))
}

fn told(number: u32) -> SocketEventKind {
    let digest = "SELECT `id` , `customer` , `total` , `placed_at` FROM `orders` WHERE `region` = ? AND `placed_at` > ?";
    SocketEventKind::ServerSession(Box::new(ServerSession {
        thread_id: number.into(),
        version: "8.0.36".to_owned(),
        user: "app".to_owned(),
        command: "Query".to_owned(),
        time: Duration::from_secs(3),
        state: Some("Sending to client".to_owned()),
        statement: Some(digest.to_owned()),
        net_write_timeout: Some(Duration::from_secs(60)),
        global_net_write_timeout: None,
        wait_timeout: Some(Duration::from_secs(28_800)),
    }))
}

fn wire_sample(number: u32, step: u32) -> WireSample {
    let server = DirectionSample {
        segments: u64::from(step) * 8,
        sent: u64::from(step) * 10_000,
        acknowledged: u64::from(step) * 50,
        next_seq: SeqNumber(step * 10_000),
        ack: SeqNumber(number + step * 50),
        window: Some(65_536),
        zero_windows: 0,
        probes: 0,
        probe_acks: 0,
        last_ack_advance: None,
        milestones: Vec::new(),
        answered: None,
        retransmissions: 0,
    };
    let client = DirectionSample {
        sent: server.acknowledged,
        acknowledged: server.sent,
        next_seq: server.ack,
        ack: server.next_seq,
        zero_windows: step / 8,
        ..server.clone()
    };
    WireSample { client, server, last_read: None, untold_by_client: 0, untold_by_server: 0 }
}

fn socket_sample(step: u32) -> SocketSample {
    SocketSample {
        state: TcpState::Established,
        recv_queue: 0,
        send_queue: 0,
        timer: TimerKind::None,
        timer_expires: Duration::ZERO,
        timer_retries: 0,
        send_buffer: 87_040,
        send_buffer_used: 0,
        recv_buffer: 131_072,
        recv_buffer_used: 0,
        uid: 1000,
        inode: 123_456,
        rto: Duration::from_millis(201),
        rtt: Duration::from_micros(120),
        backoff: 0,
        last_data_received: Duration::from_millis(12),
        last_data_sent: Duration::from_millis(13),
        bytes_acked: u64::from(step) * 50,
        bytes_received: u64::from(step) * 10_000,
        not_sent: 0,
        notsent_lowat: None,
        send_window: Some(65_536),
        recv_window: Some(65_536),
        send_window_scale: Some(7),
        recv_window_scale: Some(7),
    }
}
