//! The list: pictures of scripted observations at fixed moments, and what the user can choose of it.

mod support;

use crossterm::event::KeyCode;
use observer::view::Wishes;
use observer_core::{End, Event, EventKind, SocketEventKind};
use support::scenes::{calm, closing, lost, orphan, stalled_at_server, troubled};
use support::screen::Screen;
use support::story::{Story, at, together};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (300, 100)];

/// Snapshots of one scene at every size.
fn assert_scene(name: &str, events: &[Event], now: u64) {
    for size in SIZES {
        let picture = Screen::after(size, events, now).picture();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture);
    }
}

/// The story of a client whose beginning was seen, and whose process is called `comm`.
fn named(client: &str, comm: &str, thread_id: u32, version: &str) -> Story {
    let greeting = SocketEventKind::Greeting { version: version.to_owned(), thread_id, capabilities: None };
    let mut story = Story::of(client, 2_000).then(2_001, greeting);
    for event in &mut story.events {
        if let EventKind::Socket(socket) = &mut event.kind
            && let SocketEventKind::State { process: Some(process), .. } = &mut socket.kind
        {
            (process.comm, process.pid) = (comm.to_owned(), 4_194_304);
        }
    }
    story
}

/// It streams, and then its client stops reading.
fn stops_at(story: Story, millis: u64) -> Story {
    let probes = [230, 680, 1_600, 3_400, 7_000].map(|after| millis + after);
    story.stream(2_500, millis - 500, 400_000, 1_000_000).zero_window(millis).probes(probes)
}

#[test]
fn many_stalls() {
    let mut stories = calm();
    stories.extend((0..40_u64).map(|number| {
        let client = format!("10.2.7.{}:51844", 40 + number);
        let story = stops_at(Story::of(&client, 2_000), 10_000 + number * 1_100);
        story.socket(20_000 + number * 1_100, 800_000, 0)
    }));
    assert_scene("many", &together(stories), 62_000);
}

#[test]
fn the_server_has_closed() {
    let mut stories = calm();
    stories.push(closing());
    assert_scene("closing", &together(stories), 82_000);
}

#[test]
fn after_the_end() {
    let reset = SocketEventKind::Reset { by: End::Client };
    let gave_up = closing().then(85_000, reset).then(85_001, SocketEventKind::Destroyed);
    let left = Story::of("10.2.8.17:39021", 1_000)
        .stream(1_500, 60_000, 4_000_000, 3_100_000)
        .fin_by_server(61_000)
        .then(61_001, SocketEventKind::Destroyed);
    let crashed = lost().then(84_000, SocketEventKind::Reset { by: End::Server });
    let crashed = crashed.then(84_001, SocketEventKind::Destroyed);
    assert_scene("ended", &together([gave_up, left, crashed]), 99_000);
}

#[test]
fn the_servers_host_knows_what_is_queued_and_which_thread_writes() {
    assert_scene("server", &together([stalled_at_server()]), 60_000);
}

#[test]
fn an_orphan_of_the_server_stays_with_what_it_holds() {
    assert_scene("orphan", &together([orphan()]), 82_000);
}

#[test]
fn long_names_have_room_or_are_cut() {
    let long = named(
        "[2001:db8:85a3:8d3:1319:8a2e:1370:7348]:65535",
        "connection-pool",
        u32::MAX,
        "11.8.3-MariaDB-ubu2404-log",
    );
    let short = named("[2001:db8::1]:1", "php", 7, "8.4.3");
    assert_scene("long", &together([stops_at(long, 30_000), short]), 60_000);
}

#[test]
fn hostile_bytes_are_replaced() {
    let hostile = "\x1b[2J\u{202e}e\r\n\t\u{9b}31m";
    let story = stops_at(named("10.2.7.31:51844", hostile, 66, hostile), 30_000);
    let events = together([story]);
    assert_scene("hostile", &events, 60_000);
    for size in SIZES {
        let mut screen = Screen::after(size, &events, 60_000);
        screen.press(KeyCode::Enter);
        screen.draw();
        let cells = &screen.view.terminal().backend().buffer().content;
        let is_bad =
            |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(cells.iter().all(|cell| !cell.symbol().contains(is_bad)), "{}", screen.picture());
    }
}

#[test]
fn a_filter_looks_at_thread_version_kind_and_both_processes() {
    let events = together([
        named("10.0.0.1:1001", "etl", 8_812, "8.4.3"),
        named("10.0.0.2:1002", "Web", 77, "10.11.6-MariaDB"),
        named("10.0.0.3:1003", "web", 78, "9.7.4")
            .stream(2_500, 10_000, 400_000, 1_000_000)
            .zero_window(10_500)
            .probes([10_730, 11_180])
            .then(71_000, SocketEventKind::Reset { by: End::Server })
            .then(71_001, SocketEventKind::Destroyed),
    ]);
    let shown = |filter: &str| {
        let mut screen = Screen::after((120, 40), &events, 75_000);
        screen.view = screen.view.arranged(Wishes { filter: filter.to_owned(), ..Wishes::default() });
        let picture = screen.picture();
        let is_shown = |number: &u8| picture.contains(&format!(" 10.0.0.{number}:100{number} "));
        let rows = picture.lines().skip_while(|line| !line.contains(" Connections ")).take(6);
        let rows = rows.collect::<Vec<_>>().join("\n");
        [1, 2, 3]
            .into_iter()
            .filter(|number| is_shown(number) && rows.contains(&format!("10.0.0.{number}:")))
            .collect::<Vec<u8>>()
    };
    assert_eq!(shown(""), [1, 2, 3]);
    assert_eq!(shown("8812"), [1], "a thread");
    assert_eq!(shown("mariadb"), [2], "a version");
    assert_eq!(shown("WEB 4194304"), [2, 3], "a process");
    assert_eq!(shown("net_write_timeout"), [3], "a kind of end");
    assert_eq!(shown("10.2.0.5:3306"), [1, 2, 3], "the server's address");
    assert_eq!(shown("nowhere"), [] as [u8; 0]);
}

#[test]
fn a_list_by_process_or_thread_has_those_without_one_last() {
    let events = together([
        named("10.0.0.1:1001", "web", 5, "8.4.3"),
        named("10.0.0.2:1002", "etl", 40, "8.4.3"),
        Story::of("10.0.0.3:1003", 2_000),
    ]);
    let rows = |order: &str| {
        let mut screen = Screen::after((120, 40), &events, 5_000);
        let order = order.parse().expect("a column");
        screen.view = screen.view.arranged(Wishes { order, ..Wishes::default() });
        let picture = screen.picture();
        let rows = picture.lines().skip_while(|line| !line.contains("CLIENT")).skip(1).take(3);
        rows.map(|row| row.chars().skip(4).take(8).collect::<String>()).collect::<Vec<_>>()
    };
    assert_eq!(rows("thread"), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(rows("process"), ["10.0.0.2", "10.0.0.3", "10.0.0.1"]);
}

#[test]
fn the_user_chooses_columns() {
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    let columns = "timeout,queued,unread,client".parse().expect("columns");
    screen.view = screen.view.arranged(Wishes { columns, ..Wishes::default() });
    screen.now = at(60_000);
    insta::assert_snapshot!(screen.picture());
}
