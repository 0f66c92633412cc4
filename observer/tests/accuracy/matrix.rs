//! The cases.

use std::time::Duration;

use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::VerdictKind;

use crate::case::Act::{
    AwaitAbort, AwaitFate, Close, KillConnection, KillQuery, Ping, Quit, Read, ReadOn, Signal as Send,
    Trickle, Wait,
};
use crate::case::{Abort, Act, Case, Expected, Fate, PLAIN, Plan, Query};

/// The servers' net_write_timeout; the observers are told of it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(6);

/// More than any two buffers hold.
const ENDLESS: Query = Query::Rows(100_000);

/// What the story is: the client stops reading, the server gives up, the client learns of it later.
const STALL: &[Act] = &[Read(8), AwaitAbort, Wait(SOON), ReadOn, Close];
const SOON: Duration = Duration::from_secs(1);

const ABORTED: Expected = Expected {
    verdicts: &[VerdictKind::NetWriteTimeout],
    looks_lost: false,
    abort: Some(Abort { timeout: TIMEOUT, full_stall: true }),
};
const ABORTED_TRICKLE: Expected =
    Expected { abort: Some(Abort { timeout: TIMEOUT, full_stall: false }), ..ABORTED };
const RECOVERED: Expected = ended(&[VerdictKind::Recovered]);
/// The timeout that a session set for itself; the observers are to see that on the wire.
const ABORTED_LATER: Expected =
    Expected { abort: Some(Abort { timeout: Duration::from_secs(9), full_stall: true }), ..ABORTED };
/// It may be said that it had closed its window at times, and need not.
const FINE: Expected = ended(&[VerdictKind::Recovered, VerdictKind::ClientClosed]);
const LOOKS_LOST: Expected = Expected { looks_lost: true, ..FINE };
const QUIET: Expected = ended(&[VerdictKind::ClientClosed]);
/// A process that was killed, and one that closed in a hurry, cannot be told apart by what the kernel sends for them.
const GONE: Expected = ended(&[VerdictKind::ClientVanished, VerdictKind::ClientClosed]);
const IDLE: Expected = ended(&[VerdictKind::IdleTimeout]);
const KILLED: Expected = ended(&[VerdictKind::Killed]);
const CRASHED: Expected = ended(&[VerdictKind::ServerCrashed]);
/// MariaDB's shutdown and its death are the same on the wire: every connection ends with a FIN at once.
const SHUT_OR_CRASHED: Expected = ended(&[VerdictKind::Killed, VerdictKind::ServerCrashed]);

const fn ended(verdicts: &'static [VerdictKind]) -> Expected {
    Expected { verdicts, looks_lost: false, abort: None }
}

const fn case(name: &'static str, query: Query, acts: &'static [Act], expected: Expected) -> Case {
    Case { name, plan: PLAIN, query, acts, expected, short: false }
}

const fn receive_buffer(bytes: u32) -> Plan {
    Plan { receive_buffer: Some(bytes), ..PLAIN }
}

const fn saying(statements: &'static [&'static str]) -> Plan {
    Plan { statements, ..PLAIN }
}

/// The cases that leave the server as it was: many clients of one server at the same time.
static CASES: &[Case] = &[
    case("full stall", ENDLESS, STALL, ABORTED).short(),
    case("stall after 20,000 rows", ENDLESS, &[Read(20_000), AwaitAbort, Wait(SOON), ReadOn, Close], ABORTED),
    case(
        "trickle of 50 kB/s",
        ENDLESS,
        &[Read(4_000), Trickle(50), AwaitAbort, Wait(SOON), ReadOn, Close],
        ABORTED_TRICKLE,
    )
    .by(receive_buffer(128 * 1024))
    .short(),
    case(
        "trickle of 800 kB/s",
        Query::Rows(18_000),
        &[Read(4_000), Trickle(800), Wait(Duration::from_secs(14)), ReadOn, Quit],
        FINE,
    )
    .by(receive_buffer(128 * 1024))
    .short(),
    case(
        "pause of 3.5 s",
        Query::Rows(12_000),
        &[Read(8), Wait(Duration::from_millis(3_500)), ReadOn, Quit],
        RECOVERED,
    )
    .short(),
    case(
        "result that fits",
        Query::Rows(60),
        &[Read(1), Wait(Duration::from_secs(9)), ReadOn, Quit],
        LOOKS_LOST,
    )
    .by(receive_buffer(16 * 1024))
    .short(),
    case("session SET to 9 s", ENDLESS, STALL, ABORTED_LATER)
        .by(saying(&["SET SESSION net_write_timeout = 9"]))
        .short(),
    case("full stall, TLS", ENDLESS, STALL, ABORTED).by(Plan { tls: true, ..PLAIN }),
    case("full stall, compressed", Query::Noise(100_000), STALL, ABORTED)
        .by(Plan { compress: true, ..PLAIN }),
    // The kernel doubles what it is asked for.
    case("full stall, 16 KiB to receive", ENDLESS, STALL, ABORTED).by(receive_buffer(8 * 1024)),
    case("full stall, 8 MiB to receive", ENDLESS, STALL, ABORTED).by(receive_buffer(4 * 1024 * 1024)),
    case(
        "SIGSTOP",
        ENDLESS,
        &[
            Read(8),
            Trickle(20_000),
            Wait(Duration::from_millis(500)),
            Send(Signal::SIGSTOP),
            AwaitAbort,
            Wait(SOON),
            Send(Signal::SIGCONT),
            ReadOn,
            Close,
        ],
        ABORTED,
    ),
    case("slow producer", Query::Slow(100, 80), &[ReadOn, Quit], QUIET),
    case(
        "slow producer, full stall",
        Query::Slow(100_000, 1),
        &[Read(1), AwaitAbort, Wait(SOON), ReadOn, Close],
        ABORTED_TRICKLE,
    ),
    case(
        "server-side cursor",
        Query::Cursor(20_000),
        &[Read(100), Wait(Duration::from_secs(9)), Read(100), Quit],
        QUIET,
    ),
    case(
        "KILL CONNECTION, idle",
        Query::None,
        &[Ping, Wait(SOON), KillConnection, Wait(SOON), Close],
        KILLED,
    )
    .short(),
    case(
        "KILL CONNECTION, stalled",
        ENDLESS,
        &[Read(8), Wait(Duration::from_secs(2)), KillConnection, Wait(SOON), ReadOn, Close],
        KILLED,
    )
    .short(),
    case(
        "KILL CONNECTION, reading",
        ENDLESS,
        &[Read(8), Trickle(2_000), Wait(SOON), KillConnection, ReadOn, Close],
        KILLED,
    ),
    case(
        "KILL QUERY, stalled",
        ENDLESS,
        &[Read(8), Wait(Duration::from_secs(2)), KillQuery, Wait(SOON), ReadOn, Ping, Close],
        RECOVERED,
    ),
    case("wait_timeout", Query::None, &[Ping, Wait(Duration::from_secs(6)), Close], IDLE)
        .by(saying(&["SET SESSION wait_timeout = 4"]))
        .short(),
    case(
        "client killed, stalled",
        ENDLESS,
        &[Read(8), Wait(Duration::from_secs(2)), Send(Signal::SIGKILL)],
        GONE,
    ),
    case("client killed, idle", Query::None, &[Ping, Wait(SOON), Send(Signal::SIGKILL)], GONE),
    case("client closes with rows unread", ENDLESS, &[Read(8), Close], GONE),
    case("never reads again", ENDLESS, &[Read(8), AwaitAbort, Wait(Duration::from_secs(8))], ABORTED),
    case("result read at once", Query::Rows(500), &[ReadOn, Ping, Quit], QUIET).short(),
];

/// The cases of one rig: of a server that lives, or of one that ends while its clients wait for that together.
pub(crate) fn cases(server: Dialect, fate: Option<Fate>) -> &'static [Case] {
    const STOPPED: [&str; 3] = ["shutdown, idle", "shutdown, stalled", "shutdown, reading"];
    const DEAD: [&str; 3] = ["kill -9 of the server, idle", "kill -9, stalled", "kill -9, reading"];
    static MYSQL_STOPPED: [Case; 3] = ends(STOPPED, KILLED);
    static MYSQL_DEAD: [Case; 3] = ends(DEAD, CRASHED);
    static MARIADB_STOPPED: [Case; 3] = ends(STOPPED, SHUT_OR_CRASHED);
    static MARIADB_DEAD: [Case; 3] = ends(DEAD, SHUT_OR_CRASHED);
    match (fate, server) {
        (None, _) => CASES,
        (Some(Fate::Shutdown), Dialect::MySql) => &MYSQL_STOPPED,
        (Some(Fate::Crash), Dialect::MySql) => &MYSQL_DEAD,
        (Some(Fate::Shutdown), Dialect::MariaDb) => &MARIADB_STOPPED,
        (Some(Fate::Crash), Dialect::MariaDb) => &MARIADB_DEAD,
    }
}

const fn ends([idle, stalled, reading]: [&'static str; 3], expected: Expected) -> [Case; 3] {
    // MySQL gives its clients two seconds.
    const AFTERWARDS: Act = Wait(Duration::from_secs(3));
    [
        case(idle, Query::None, &[Ping, AwaitFate, AFTERWARDS, Close], expected),
        case(stalled, ENDLESS, &[Read(8), AwaitFate, AFTERWARDS, ReadOn, Close], expected),
        case(reading, ENDLESS, &[Read(8), Trickle(2_000), Wait(SOON), AwaitFate, ReadOn, Close], expected),
    ]
}
