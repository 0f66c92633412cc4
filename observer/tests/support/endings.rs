//! Stories by how they end.

use observer_core::{End, Process, SocketEventKind, TcpState};

use super::story::Story;

pub(crate) fn greeting(version: &str) -> SocketEventKind {
    SocketEventKind::Greeting { version: version.to_owned(), thread_id: 8812, capabilities: None }
}

pub(crate) fn state(from: TcpState, to: TcpState) -> SocketEventKind {
    SocketEventKind::State {
        from,
        to,
        process: Some(Process { pid: 4711, tid: None, comm: "python3".to_owned() }),
    }
}

/// The client stops reading for two minutes, reads on and fails.
pub(crate) fn full_stall() -> Story {
    Story::of("10.2.7.31:51844", 1000)
        .then(1010, greeting("9.7.4"))
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000, 37_400, 66_200])
        .window_update(128_800, 800_000)
        .fin_by_server(128_900)
        .then(128_900, state(TcpState::Established, TcpState::CloseWait))
        .then(129_400, state(TcpState::CloseWait, TcpState::LastAck))
        .then(129_401, SocketEventKind::Destroyed)
}

pub(crate) fn mariadb() -> Story {
    Story::of("10.2.7.31:51850", 1000)
        .then(1010, greeting("5.5.5-10.11.19-MariaDB"))
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000, 37_400, 66_200])
        .then(68_800, SocketEventKind::Reset { by: End::Server })
        .then(68_800, state(TcpState::Established, TcpState::Closed))
        .then(130_000, SocketEventKind::Destroyed)
}

pub(crate) fn recovered() -> Story {
    Story::of("10.2.7.31:51846", 2000)
        .stream(2500, 8_000, 1_200_000, 3_100_000)
        .zero_window(9_000)
        .probes([9_230, 9_690])
        .window_update(20_000, 800_000)
        .stream(20_500, 24_000, 1_200_000, 3_100_000)
}

/// The server closes in the middle of a stream that never stood still.
pub(crate) fn killed() -> Story {
    Story::of("10.2.7.31:51848", 2000)
        .then(2010, greeting("9.7.4"))
        .stream(2500, 8_000, 1_200_000, 3_100_000)
        .fin_by_server(8_100)
        .socket(8_150, 300_000, 0)
        .then(8_200, state(TcpState::CloseWait, TcpState::LastAck))
        .then(8_201, SocketEventKind::Destroyed)
}
