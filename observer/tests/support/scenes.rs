//! What the pictures are of.

use observer_core::{End, SocketEventKind, TcpState};

use super::story::Story;

/// Nothing is out of the ordinary.
pub(crate) fn calm() -> Vec<Story> {
    vec![
        Story::of("10.2.8.17:39021", 1000).stream(1500, 60_000, 4_000_000, 3_100_000),
        Story::of("10.2.8.17:39024", 1200).stream(1500, 60_000, 3_000_000, 3_100_000),
        Story::of("10.2.8.22:60214", 2000).flow(2500, 4_000, 0, 64_000),
        Story::of("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:41822", 3000).flow(3500, 90_000, 0, 1_000_000),
    ]
}

/// The story: rows stream, the client stops reading, the server probes.
pub(crate) fn stalled() -> Story {
    Story::of("10.2.7.31:51844", 8_000)
        .stream(8_500, 18_000, 1_200_000, 3_100_000)
        .flow(18_200, 1_400_000, 60_000, 1_700_000)
        .flow(18_500, 900_000, 60_000, 800_000)
        .zero_window(18_800)
        .socket(19_500, 1_130_000, 0)
        .probes([19_030, 19_480, 20_400, 22_200, 25_800, 33_000, 47_400])
}

/// A zero window with nothing behind it: no probes.
pub(crate) fn harmless() -> Story {
    Story::of("10.2.6.90:33410", 4_000)
        .stream(4_500, 9_000, 200_000, 500_000)
        .zero_window(34_900)
        .socket(35_500, 480_000, 0)
}

/// A stall on the clock, one just begun, and one that does no harm.
pub(crate) fn troubled() -> Vec<Story> {
    let second = Story::of("10.2.7.31:51846", 9_000)
        .seen_at(End::Server)
        .stream(9_500, 47_000, 900_000, 3_100_000)
        .zero_window(48_000)
        .socket(48_500, 0, 1_340_000)
        .probes([48_230, 48_690]);
    let mut stories = calm();
    stories.extend([stalled(), harmless(), second]);
    stories
}

/// Rows that a client's application reads on from its buffers after its server has closed; it fails when it comes to
/// the end.
pub(crate) fn closing() -> Story {
    Story::of("10.2.6.3:58120", 5_000)
        .stream(5_500, 9_000, 1_000_000, 500_000)
        .zero_window(9_500)
        .socket(9_600, 2_400_000, 0)
        .probes([9_730, 10_180, 11_080, 12_880, 16_480, 23_700, 38_100, 66_900])
        .socket(70_000, 2_200_000, 0)
        .window_update(75_000, 400_000)
        .fin_by_server(75_100)
        .socket(75_500, 1_800_000, 0)
        .socket(78_500, 1_500_000, 0)
        .socket(81_500, 1_200_000, 0)
}

/// The server has given up; nothing on the wire shows it yet.
pub(crate) fn lost() -> Story {
    stalled().socket(60_000, 1_130_000, 0).socket(80_000, 1_130_000, 0)
}

/// The same at the server's host: its socket has no owner any more, and the client has begun to take what it holds.
pub(crate) fn orphan() -> Story {
    let (from, to) = (TcpState::Established, TcpState::FinWait1);
    stalled_at_server()
        .then(79_000, SocketEventKind::State { from, to, process: None })
        .orphan(79_500, 1_340_001)
        .window_update(80_500, 400_000)
        .orphan(81_500, 940_001)
}

/// What `stalled` looks like from the server's host, whose thread and version are known.
pub(crate) fn stalled_at_server() -> Story {
    let story = Story::of("10.2.7.31:51844", 8_000).greeting(8_001).seen_at(End::Server);
    story
        .stream(8_500, 18_000, 1_200_000, 3_100_000)
        .zero_window(18_800)
        .socket(19_000, 0, 700_000)
        .socket(22_000, 0, 1_340_000)
        .probes([19_030, 19_480, 20_400, 22_200, 25_800, 33_000, 47_400])
        .socket(50_000, 0, 1_340_000)
}
