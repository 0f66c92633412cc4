//! Events of every kind, few connections, and times that lie close together.

use std::sync::Arc;
use std::time::Duration;

use proptest::option;
use proptest::prelude::*;

use observer_core::{
    Account, Connector, DirectionSample, End, Event, EventKind, Flow, LastRead, LossPoint, Owner, Owners,
    Process, SeqNumber, ServerSession, SocketEvent, SocketEventKind, SocketRef, SocketSample, SourceEvent,
    Statement, StatementKind, TcpState, TimeRange, TimerKind, Timestamp, Vantage, WireSample,
};

/// A moment within some minutes; rarely one that only a broken source has.
pub(crate) fn moment() -> impl Strategy<Value = Timestamp> {
    let beginning = 1_714_831_200_000_000_i64;
    prop_oneof![
        50 => (0..300_000_000_i64).prop_map(move |micros| Timestamp::from_micros(beginning + micros)),
        1 => (0..4_000_000_000_000_000_i64).prop_map(Timestamp::from_micros),
    ]
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        30 => socket_event().prop_map(EventKind::Socket),
        1 => source_event().prop_map(EventKind::Source),
    ];
    (moment(), kind).prop_map(|(at, kind)| Event { at, kind })
}

fn socket_event() -> impl Strategy<Value = SocketEvent> {
    let seen_at = prop_oneof![Just(Vantage::Client), Just(Vantage::Server), Just(Vantage::Wire)];
    let socket = (0..4_u16, seen_at, option::of(0..4_u64)).prop_map(|(port, seen_at, cookie)| SocketRef {
        flow: Flow { client: ([10, 0, 0, 2], 50_000 + port).into(), server: ([10, 0, 0, 1], 3306).into() },
        seen_at,
        cookie,
    });
    (socket, kind()).prop_map(|(socket, kind)| SocketEvent { socket, kind })
}

fn source_event() -> impl Strategy<Value = SourceEvent> {
    let place = prop::sample::select(LossPoint::ALL.to_vec());
    prop_oneof![
        (any::<u64>(), place).prop_map(|(count, lost_by)| SourceEvent::EventsLost { count, lost_by }),
        (any::<String>(), any::<String>(), any::<String>())
            .prop_map(|(part, because, without)| SourceEvent::Degraded { part, because, without }),
        duration().prop_map(|period| SourceEvent::SocketsPolled { period }),
        Just(SourceEvent::TimePassed),
        duration().prop_map(|looks_for| SourceEvent::Resumed { looks_for }),
    ]
}

fn server_session() -> impl Strategy<Value = ServerSession> {
    let command = prop_oneof![Just("Sleep".to_owned()), any::<String>()];
    let texts =
        (any::<String>(), any::<String>(), command, option::of(any::<String>()), option::of(any::<String>()));
    let times = (duration(), option::of(duration()), option::of(duration()), option::of(duration()));
    (0..3_u64, texts, times).prop_map(|(thread_id, texts, times)| {
        let (version, user, command, state, statement) = texts;
        let (time, net_write_timeout, global_net_write_timeout, wait_timeout) = times;
        ServerSession {
            thread_id,
            version,
            user,
            command,
            time,
            state,
            statement,
            net_write_timeout,
            global_net_write_timeout,
            wait_timeout,
        }
    })
}

fn kind() -> impl Strategy<Value = SocketEventKind> {
    prop_oneof![
        (end(), option::of(0..15_u8), seq()).prop_map(|(by, window_scale, seq)| SocketEventKind::Syn {
            by,
            window_scale,
            seq
        }),
        (state(), state(), option::of(process())).prop_map(|(from, to, process)| SocketEventKind::State {
            from,
            to,
            process
        }),
        (end(), seq()).prop_map(|(by, ack)| SocketEventKind::ZeroWindow { by, ack }),
        (end(), option::of(any::<u32>()), seq())
            .prop_map(|(by, window, ack)| SocketEventKind::WindowUpdate { by, window, ack }),
        end().prop_map(|by| SocketEventKind::ZeroWindowProbe { by }),
        end().prop_map(|by| SocketEventKind::ZeroWindowProbeAck { by }),
        (end(), seq()).prop_map(|(by, seq)| SocketEventKind::Fin { by, seq, in_result: None }),
        end().prop_map(|by| SocketEventKind::Reset { by }),
        (any::<String>(), any::<u32>(), option::of(any::<u32>())).prop_map(
            |(version, thread_id, capabilities)| SocketEventKind::Greeting {
                version,
                thread_id,
                capabilities
            }
        ),
        server_session().prop_map(|told| SocketEventKind::ServerSession(Box::new(told))),
        (0..3_u64).prop_map(|thread_id| SocketEventKind::SessionGone { thread_id }),
        Just(SocketEventKind::ObserversOwn),
        (any::<u32>(), command_text()).prop_map(|(length, text)| SocketEventKind::Command { length, text }),
        (any::<u32>(), any::<bool>(), option::of(account())).prop_map(|(capabilities, tls, account)| {
            SocketEventKind::Login { capabilities, tls, account: account.map(Box::new) }
        }),
        statement().prop_map(|statement| SocketEventKind::Statement(Box::new(statement))),
        any::<bool>().prop_map(|ok| SocketEventKind::Reply { ok }),
        any::<u16>().prop_map(|code| SocketEventKind::ServerError { code }),
        wire_sample().prop_map(|sample| SocketEventKind::Wire(Box::new(sample))),
        socket_sample().prop_map(|sample| SocketEventKind::Socket(Box::new(sample))),
        owners().prop_map(|owners| SocketEventKind::Owners(Box::new(owners))),
        any::<u32>().prop_map(|pid| SocketEventKind::ProcessEnds { pid }),
        server_waits(),
        any::<bool>().prop_map(|timed_out| SocketEventKind::ServerWaitEnds { timed_out }),
        Just(SocketEventKind::Destroyed),
    ]
}

fn server_waits() -> impl Strategy<Value = SocketEventKind> {
    let since = option::of((0..600_000_i64, 0..1_000_000_i64).prop_map(|(millis, width)| {
        let earliest = Timestamp::from_micros(millis * 1000);
        TimeRange { earliest, latest: Timestamp::from_micros(millis * 1000 + width) }
    }));
    (since, 0..100_000_u64).prop_map(|(since, millis)| SocketEventKind::ServerWaits {
        since,
        timeout: Duration::from_millis(millis),
        process: Process { pid: 7, tid: Some(8), comm: "mysqld".to_owned() },
    })
}

fn account() -> impl Strategy<Value = Account> {
    let text = || option::of(any::<String>());
    (text(), text(), text(), text(), text(), option::of(any::<u32>())).prop_map(
        |(user, database, name, version, program, pid)| Account {
            user,
            database,
            connector: Some(Connector { name, version, program, pid }),
        },
    )
}

fn statement() -> impl Strategy<Value = Statement> {
    use StatementKind::{BinlogDump, Execute, Fetch, Other, Query};
    let command = prop_oneof![Just(Query), Just(Execute), Just(Fetch), Just(BinlogDump), Just(Other)];
    let flags = (any::<bool>(), any::<bool>(), option::of(any::<bool>()));
    (moment(), command, any::<u32>(), option::of(any::<String>()), flags).prop_map(
        |(sent_at, command, length, text, (cut, cursor, in_result))| Statement {
            sent_at,
            command,
            length,
            text,
            cut,
            cursor,
            in_result,
        },
    )
}

/// Statements of a few words that mean something, and any text.
fn command_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\u{3}SET( (SESSION|GLOBAL|STATEMENT|net_write_timeout|wait_timeout|@@|=|:=|,|;|[0-9]{1,12}|FOR|/\\*!?|\\*/|'|`|\\(|DEFAULT)){0,12}",
        "[\u{1}\u{3}\u{11}\u{1f}].{0,40}",
        any::<String>(),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Client), Just(End::Server)]
}

fn seq() -> impl Strategy<Value = SeqNumber> {
    prop_oneof![0..4_u32, any::<u32>()].prop_map(SeqNumber)
}

fn state() -> impl Strategy<Value = TcpState> {
    (1..=12_u8).prop_map(|number| TcpState::try_from(number).expect("1 to 12 are states"))
}

fn owners() -> impl Strategy<Value = Owners> {
    let owner = (process(), moment(), option::of(any::<String>()), option::of(any::<u64>())).prop_map(
        |(process, started_at, text, netns)| {
            Arc::new(Owner {
                process,
                started_at,
                command: text.clone(),
                uid: Some(0),
                user: text.clone(),
                unit: text.clone(),
                container: text.clone(),
                pod: text.clone(),
                cgroup: text,
                netns,
            })
        },
    );
    (option::of(any::<u32>()), proptest::collection::vec(owner, 0..7), any::<u32>())
        .prop_map(|(uid, processes, more)| Owners { uid, user: None, processes, more })
}

fn process() -> impl Strategy<Value = Process> {
    (any::<u32>(), option::of(any::<u32>()), any::<String>()).prop_map(|(pid, tid, comm)| Process {
        pid,
        tid,
        comm,
    })
}

/// Whole microseconds, as sources have them.
fn duration() -> impl Strategy<Value = Duration> {
    (0..300_000_000_u64).prop_map(Duration::from_micros)
}

fn wire_sample() -> impl Strategy<Value = WireSample> {
    let last_read = (moment(), process()).prop_map(|(at, process)| LastRead { at, process });
    (direction(), direction(), option::of(last_read), 0..3_u32, 0..2_u32).prop_map(
        |(client, server, last_read, untold_by_client, untold_by_server)| WireSample {
            client,
            server,
            last_read,
            untold_by_client,
            untold_by_server,
        },
    )
}

fn direction() -> impl Strategy<Value = DirectionSample> {
    let window = option::of(prop_oneof![Just(0), any::<u32>()]);
    let counts = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    (counts, seq(), seq(), window, option::of(moment())).prop_map(
        |((segments, acknowledged, zero_windows, probes), next_seq, ack, window, last_ack_advance)| {
            DirectionSample {
                segments,
                sent: segments,
                acknowledged,
                next_seq,
                ack,
                window,
                zero_windows,
                probes,
                probe_acks: probes,
                last_ack_advance,
                milestones: Vec::new(),
                answered: None,
                retransmissions: 0,
            }
        },
    )
}

fn socket_sample() -> impl Strategy<Value = SocketSample> {
    let timer = prop::sample::select(vec![
        TimerKind::None,
        TimerKind::Retransmit,
        TimerKind::KeepAlive,
        TimerKind::TimeWait,
        TimerKind::Persist,
    ]);
    let size = || prop_oneof![Just(0), any::<u32>()];
    let sizes = (size(), size(), size(), size(), size(), size());
    let durations = (duration(), duration(), duration(), duration(), duration());
    let bytes = (any::<u64>(), any::<u64>());
    let windows = (option::of(size()), option::of(size()), option::of(any::<u8>()));
    (state(), timer, sizes, durations, bytes, windows).prop_map(
        |(state, timer, sizes, times, bytes, (send_window, recv_window, scale))| SocketSample {
            state,
            recv_queue: sizes.0,
            send_queue: sizes.1,
            timer,
            timer_expires: times.0,
            timer_retries: 3,
            send_buffer: sizes.2,
            send_buffer_used: sizes.3,
            recv_buffer: sizes.4,
            recv_buffer_used: sizes.5,
            uid: 0,
            inode: 0,
            rto: times.1,
            rtt: times.2,
            backoff: 3,
            last_data_received: times.3,
            last_data_sent: times.4,
            bytes_acked: bytes.0,
            bytes_received: bytes.1,
            not_sent: sizes.1,
            notsent_lowat: send_window.filter(|_| sizes.0 > 1_000),
            send_window,
            recv_window,
            send_window_scale: scale,
            recv_window_scale: scale,
        },
    )
}
