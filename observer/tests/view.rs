//! The view on a screen of cells: pictures of scripted observations at fixed moments.

mod support;

use crossterm::event::{Event as Input, KeyCode, KeyEvent};
use observer::output::Output as _;
use observer::view::{Abilities, Theme};
use observer_core::{End, Event, EventKind, SocketEventKind};
use support::scenes::{calm, stalled, troubled};
use support::screen::Screen;
use support::story::{Story, at, degraded, events_lost, together};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (300, 100)];

/// Snapshots of one scene at every size.
fn assert_scene(name: &str, events: &[Event], now: u64) {
    for size in SIZES {
        let picture = Screen::after(size, events, now).picture();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture);
    }
}

#[test]
fn an_empty_host() {
    assert_scene("empty", &[], 5000);
}

#[test]
fn a_calm_host() {
    assert_scene("calm", &together(calm()), 60_000);
}

#[test]
fn one_stall() {
    assert_scene("stalled", &together(troubled()), 60_000);
}

#[test]
fn lost_and_what_follows() {
    let lost = stalled().then(90_000, SocketEventKind::Destroyed);
    let closed = Story::of("10.2.6.3:58120", 5000)
        .stream(5500, 9_000, 1_000_000, 500_000)
        .zero_window(9_500)
        .probes([9_730, 10_180])
        .window_update(75_000, 400_000)
        .fin_by_server(75_100)
        .socket(75_500, 700_000, 0);
    let mut stories = calm();
    stories.extend([lost, closed]);
    assert_scene("lost", &together(stories), 82_000);
}

#[test]
fn losses_and_a_missing_source_are_named() {
    let mut events = vec![degraded(0), events_lost(20_000, 12), events_lost(30_000, 5)];
    events.extend(together(calm()));
    events.sort_by_key(|event| event.at);
    assert_scene("degraded", &events, 60_000);
}

#[test]
fn one_connection() {
    for size in SIZES {
        let mut screen = Screen::after(size, &together(troubled()), 60_000);
        screen.press(KeyCode::Enter);
        insta::assert_snapshot!(format!("detail_{}x{}", size.0, size.1), screen.picture());
    }
}

#[test]
fn the_page_of_keys() {
    for size in SIZES {
        let mut screen = Screen::after(size, &together(calm()), 60_000);
        screen.press(KeyCode::Char('?'));
        insta::assert_snapshot!(format!("help_{}x{}", size.0, size.1), screen.picture());
    }
}

#[test]
fn every_size_has_a_picture_and_keys_work_on_each() {
    let events = together(troubled());
    for (width, height) in
        [(0, 0), (1, 1), (39, 24), (40, 8), (80, 7), (41, 9), (500, 3), (3, 500), (400, 120)]
    {
        let mut screen = Screen::after((width, height), &events, 60_000);
        for key in
            "jkGgnn?jjj?".chars().map(KeyCode::Char).chain([KeyCode::Enter, KeyCode::PageDown, KeyCode::Esc])
        {
            screen.press(key);
        }
        screen.draw();
    }
}

#[test]
fn what_both_ends_see_is_one_event_and_short_zero_windows_are_one_line() {
    let touched = (0..5).fold(stalled(), |story, n| {
        story.window_update(52_000 + n * 100, 100_000).zero_window(52_000 + n * 100 + 50)
    });
    let client = touched.window_update(53_000, 400_000).fin_by_server(55_000);
    let server = client.clone().seen_at(End::Server);
    let events = together([client, server]);
    let picture = Screen::after((80, 24), &events, 50_000).picture();
    assert!(picture.contains("ZeroWindowProbe 7 so far"), "{picture}");
    let picture = Screen::after((80, 24), &events, 60_000).picture();
    let events: Vec<_> = picture.lines().skip_while(|line| !line.contains(" Events ")).skip(1).collect();
    let count = |text: &str| events.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("FIN, by server"), 1, "{picture}");
    assert_eq!(count("ZeroWindow "), 1, "{picture}");
    assert_eq!(count("5 in a row"), 1, "{picture}");
}

#[test]
fn on_the_smallest_screens_the_sentence_is_all() {
    let picture = Screen::after((30, 4), &together(troubled()), 60_000).picture();
    insta::assert_snapshot!(picture);
}

#[test]
fn the_selection_follows_its_connection_and_not_its_row() {
    let mut screen = Screen::after((80, 24), &together(calm()), 20_000);
    screen.press(KeyCode::Down);
    let selected = |picture: &str| picture.lines().find(|line| line.contains('›')).unwrap()[..40].to_owned();
    let before = selected(&screen.picture());
    assert!(before.contains("10.2.8.17:39024"), "{before}");
    // A stall pushes all others down.
    screen.happen(&stalled().events, at(60_000));
    assert_eq!(selected(&screen.picture()), before);
    screen.press(KeyCode::Char('n'));
    assert!(selected(&screen.picture()).contains("10.2.7.31:51844"));
    screen.press(KeyCode::End);
    assert!(selected(&screen.picture()).contains(":41822"));
    // Nothing chosen: whatever is first.
    screen.press(KeyCode::Home);
    assert!(selected(&screen.picture()).contains("10.2.7.31:51844"));
}

#[test]
fn a_filter_is_typed_and_limits_the_list_but_not_the_counts() {
    let mut screen = Screen::after((120, 40), &together(troubled()), 60_000);
    let of = |screen: &mut Screen, client: &str| {
        screen.picture().lines().filter(|line| line.contains(client) && line.contains("open")).count()
    };
    assert_eq!(of(&mut screen, "10.2.8.17:"), 2);
    "/8.17:39021".chars().for_each(|key| screen.press(KeyCode::Char(key)));
    let picture = screen.picture();
    assert!(picture.contains("/8.17:39021_") && picture.contains(" conns"), "{picture}");
    assert_eq!((of(&mut screen, "10.2.8.17:39021"), of(&mut screen, "10.2.8.17:39024")), (1, 0), "{picture}");
    // A letter that is a command elsewhere is a letter here, and nothing quits.
    "qs".chars().for_each(|key| screen.press(KeyCode::Char(key)));
    assert!(
        screen
            .picture()
            .contains("No connection has that in its addresses, processes, thread, version or state.")
    );
    for key in [KeyCode::Backspace, KeyCode::Backspace, KeyCode::Enter] {
        screen.press(key);
    }
    assert!(screen.picture().contains("/8.17:39021 "), "{}", screen.picture());
    screen.press(KeyCode::Esc);
    assert_eq!(of(&mut screen, "10.2.8.17:"), 2);
}

#[test]
fn keys_of_a_recording_are_letters_while_the_filter_is_typed() {
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    let key = |letter| Input::Key(KeyEvent::from(KeyCode::Char(letter)));
    assert!(screen.view.control(&key('7')).is_none(), "what happens now is not played");
    screen.play();
    assert!(screen.view.control(&key('7')).is_some());
    // Not where it would not be seen.
    screen.press(KeyCode::Char('?'));
    screen.press(KeyCode::Char('/'));
    assert!(screen.view.control(&key('7')).is_some());
    screen.press(KeyCode::Esc);
    screen.press(KeyCode::Char('/'));
    assert!("7.31:, ".chars().all(|letter| screen.view.control(&key(letter)).is_none()));
    screen.press(KeyCode::Enter);
    assert!(screen.view.control(&key('7')).is_some());
}

#[test]
fn the_list_is_sorted_by_another_column_and_the_other_way_round() {
    let mut screen = Screen::after((120, 40), &together(troubled()), 60_000);
    let first = |screen: &mut Screen| {
        let picture = screen.picture();
        let row = picture.lines().skip_while(|line| !line.contains("CLIENT")).nth(1).unwrap_or_default();
        row.split_whitespace().find(|word| word.contains("10.2") || word.contains("2001")).map(str::to_owned)
    };
    assert_eq!(first(&mut screen).as_deref(), Some("10.2.7.31:51844"));
    screen.press(KeyCode::Char('s'));
    assert!(screen.picture().contains("CLIENT ▾"), "{}", screen.picture());
    assert_eq!(first(&mut screen).as_deref(), Some("10.2.6.90:33410"));
    screen.press(KeyCode::Char('S'));
    assert!(screen.picture().contains("CLIENT ▴"), "{}", screen.picture());
    assert_ne!(first(&mut screen).as_deref(), Some("10.2.6.90:33410"));
    // Once round.
    (0..8).for_each(|_| screen.press(KeyCode::Char('s')));
    assert!(screen.picture().contains("TIMEOUT IN ▾"), "{}", screen.picture());
    assert_eq!(first(&mut screen).as_deref(), Some("10.2.7.31:51844"));
}

#[test]
fn colours_follow_the_roles() {
    use ratatui::style::{Color, Modifier};
    let mut events = together(troubled());
    events.insert(0, events_lost(0, 3));
    let mut screen = Screen::after((80, 24), &events, 60_000);
    screen.picture();
    let buffer = screen.view.terminal().backend().buffer().clone();
    let find = |text: &str| {
        (0..24)
            .find_map(|y| {
                let line: String = (0..80).map(|x| buffer[(x, y)].symbol()).collect();
                let x = line
                    .chars()
                    .collect::<Vec<_>>()
                    .windows(text.chars().count())
                    .position(|part| part.iter().collect::<String>() == text)?;
                Some(buffer[(u16::try_from(x).unwrap(), y)].style())
            })
            .unwrap_or_else(|| panic!("{text} is not on the screen"))
    };
    assert_eq!(find("▲").fg, Some(Color::Yellow));
    assert_eq!(find("●").fg, Some(Color::Yellow));
    assert!(find("· 10.2").add_modifier.contains(Modifier::DIM));
    assert_eq!(find("3 lost").fg, Some(Color::Red));
    assert!(find("3 lost").add_modifier.contains(Modifier::REVERSED));
    assert_eq!(find("observer").fg, Some(Color::Cyan));
    assert!(find("nothing queued").add_modifier.contains(Modifier::DIM));

    let ansi = |color| {
        matches!(
            color,
            Color::Reset | Color::Yellow | Color::Red | Color::Cyan | Color::Green | Color::Magenta
        )
    };
    assert!(buffer.content.iter().all(|cell| ansi(cell.fg) && ansi(cell.bg)), "a colour beyond the sixteen");
}

#[test]
fn without_colour_and_unicode_the_signs_are_left() {
    let mut screen = Screen::new((80, 24), Abilities { theme: Theme::Mono, unicode: false });
    screen.happen(&together(troubled()), at(60_000));
    insta::assert_snapshot!("ascii_list", screen.picture());
    let cells = &screen.view.terminal().backend().buffer().content;
    assert!(cells.iter().all(|cell| cell.symbol().is_ascii()));
    assert!(cells.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    screen.press(KeyCode::Enter);
    insta::assert_snapshot!("ascii_detail", screen.picture());
}

#[test]
fn what_the_network_sends_does_not_reach_the_terminal() {
    let hostile = "\x1b[2J\u{202e}evil\r\n";
    let mut events = stalled().events;
    for event in &mut events {
        if let EventKind::Socket(socket) = &mut event.kind
            && let SocketEventKind::State { process: Some(process), .. } = &mut socket.kind
        {
            hostile.clone_into(&mut process.comm);
        }
    }
    let mut screen = Screen::after((120, 40), &events, 60_000);
    screen.draw();
    let cells = &screen.view.terminal().backend().buffer().content;
    let hostile_cell =
        cells.iter().find(|cell| cell.symbol().contains(|c: char| c.is_control() || c == '\u{202e}'));
    assert_eq!(hostile_cell, None);
    assert!(screen.picture().contains("\u{fffd}[2J\u{fffd}evil"), "{}", screen.picture());
}

#[test]
fn is_drawn_when_there_is_something_new_and_while_a_countdown_runs() {
    // Nothing new: nothing to draw.
    let mut screen = Screen::after((80, 24), &together(calm()), 60_000);
    screen.picture();
    assert_eq!(screen.view.next_draw(), None);
    // A countdown: ten pictures a second.
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    screen.picture();
    assert_eq!(screen.view.next_draw(), Some(at(60_100)));
    // News wait for the next frame.
    let mut screen = Screen::after((80, 24), &together(calm()), 60_000);
    screen.picture();
    screen.happen(&[degraded(60_010)], at(60_010));
    assert_eq!(screen.view.next_draw(), Some(at(60_100)));
}
