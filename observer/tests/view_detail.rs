//! The page of one connection, and the chart: pictures of scripted observations at fixed moments.

mod support;

use crossterm::event::KeyCode;
use observer_core::{End, Event, SocketEventKind};
use support::scenes::{calm, closing, lost, orphan, stalled, stalled_at_server, troubled};
use support::screen::Screen;
use support::story::together;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (300, 100)];

/// Snapshots of the page of the first connection, after `keys`, at every size.
fn assert_page(name: &str, events: &[Event], now: u64, keys: &str) {
    for size in SIZES {
        let mut screen = Screen::after(size, events, now);
        screen.press(KeyCode::Enter);
        keys.chars().for_each(|key| screen.press(KeyCode::Char(key)));
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), screen.picture());
    }
}

#[test]
fn one_stall_at_the_client() {
    assert_page("client", &together(troubled()), 60_000, "");
}

#[test]
fn whose_connection_it_is() {
    assert_page("owned", &together([stalled().owned(8_100)]), 60_000, "");
}

#[test]
fn a_unit_stands_in_the_list_and_is_looked_for() {
    let mut stories = calm();
    stories.push(stalled().owned(8_100));
    let mut screen = Screen::after((300, 100), &together(stories), 60_000);
    assert!(screen.picture().contains("python3 4711 etl.service"));
    assert!(screen.picture().contains("10.2.8.17:39021"));
    "/etl.serv".chars().for_each(|key| screen.press(KeyCode::Char(key)));
    assert!(screen.picture().contains("10.2.7.31:51844") && !screen.picture().contains("10.2.8.17:39021"));
}

#[test]
fn where_there_is_room_for_nothing_else_the_unit_stands_behind_the_process() {
    let title = |columns, story| {
        let mut screen = Screen::after((columns, 24), &together([story]), 60_000);
        screen.press(KeyCode::Enter);
        let picture = screen.picture();
        picture.lines().find(|line| line.contains('‹')).map(str::to_owned).unwrap_or_default()
    };
    for (columns, shown) in
        [(99, "python3 4711 etl.service "), (56, "python3 4711 etl.se…"), (53, "python3 4711 ")]
    {
        let title = title(columns, stalled().owned(8_100));
        assert!(title.contains(shown), "{columns}: {title}");
    }
    assert!(!title(53, stalled().owned(8_100)).contains("etl"));
    assert!(!title(100, stalled().owned(8_100)).contains("etl"), "the facts beside the chart tell it");
}

#[test]
fn one_stall_at_the_server() {
    assert_page("server", &together([stalled_at_server()]), 60_000, "");
}

#[test]
fn one_stall_at_both_ends() {
    assert_page("both", &together([stalled(), stalled_at_server()]), 60_000, "");
}

#[test]
fn a_lost_connection() {
    assert_page("lost", &together([lost()]), 82_000, "");
}

#[test]
fn an_orphan_of_the_server() {
    assert_page("orphan", &together([orphan()]), 82_000, "");
}

#[test]
fn when_the_client_read_last_is_told_while_its_window_is_closed() {
    let page = |story| {
        let mut screen = Screen::after((120, 40), &together([story]), 60_000);
        screen.press(KeyCode::Enter);
        screen.picture()
    };
    let line = |picture: &str| picture.lines().find(|line| line.contains("last read")).map(str::to_owned);
    let told = line(&page(stalled().read(55_000)));
    assert!(told.as_ref().is_some_and(|line| line.contains("5.0 s ago")), "{told:?}");
    assert_eq!(line(&page(stalled())), None, "it was not seen to read");
}

#[test]
fn a_connection_that_the_server_has_closed() {
    assert_page("closing", &together([closing()]), 82_000, "");
}

#[test]
fn a_connection_that_has_ended() {
    let reset = SocketEventKind::Reset { by: End::Server };
    let ended = closing().then(85_000, SocketEventKind::Reset { by: End::Client });
    let ended = ended.then(85_001, SocketEventKind::Destroyed).then(85_002, reset);
    assert_page("ended", &together([ended]), 99_000, "");
}

#[test]
fn zoomed_and_panned() {
    assert_page("zoomed", &together(troubled()), 60_000, "+");
    assert_page("panned", &together(troubled()), 60_000, "++hhh");
}

#[test]
fn list_and_page_together() {
    for size in [(120, 34), (120, 40), (300, 100)] {
        let mut stories = calm();
        stories.extend([closing(), lost()]);
        let picture = Screen::after(size, &together(stories), 82_000).picture();
        insta::assert_snapshot!(format!("combined_{}x{}", size.0, size.1), picture);
    }
}

#[test]
fn a_picture_that_was_panned_stands_still() {
    let events = together([stalled()]);
    let plot = |picture: &str| -> Vec<String> {
        let lines = picture.lines().filter(|line| line.contains('│') && !line.contains("wnd"));
        lines.skip(1).map(|line| line.chars().skip(8).collect()).collect()
    };
    let mut screen = Screen::after((80, 24), &events, 50_000);
    screen.press(KeyCode::Enter);
    screen.press(KeyCode::Char('+'));
    // Far enough that now is not on it.
    for _ in 0..4 {
        screen.press(KeyCode::Left);
    }
    let before = plot(&screen.picture());
    screen.now = support::story::at(52_000);
    assert_eq!(plot(&screen.picture()), before);
    screen.press(KeyCode::Char('f'));
    assert_ne!(plot(&screen.picture()), before);
}

#[test]
fn numbers_out_of_all_bounds_are_drawn() {
    let huge = SocketEventKind::WindowUpdate {
        by: End::Client,
        window: Some(u32::MAX),
        ack: observer_core::SeqNumber(7),
    };
    let mut events = together([stalled().then(30_000, huge)]);
    for event in &mut events {
        if let observer_core::EventKind::Socket(socket) = &mut event.kind
            && let SocketEventKind::Wire(sample) = &mut socket.kind
        {
            (sample.server.sent, sample.client.acknowledged) = (u64::MAX, u64::MAX - 5);
        }
    }
    for size in [(40, 10), (80, 24), (120, 40), (500, 200)] {
        let mut screen = Screen::after(size, &events, 60_000);
        screen.press(KeyCode::Enter);
        for key in "+++hhh---llllff".chars() {
            screen.press(KeyCode::Char(key));
        }
        screen.draw();
    }
}
