//! The keys and the mouse of the view: pause, filter, order, help and clicks on scripted observations.

mod support;

use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use observer::output::Output as _;
use observer::view::{Control, Order, Wishes};
use observer_core::{Event, SocketEventKind, Timestamp};
use support::scenes::{calm, closing, lost, stalled, troubled};
use support::screen::Screen;
use support::story::{Story, at, together};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (300, 100)];
const CLICK: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

/// What of `events` is still to come at `then`.
fn after(events: &[Event], then: Timestamp) -> Vec<Event> {
    events.iter().filter(|event| event.at > then).cloned().collect()
}

/// A screen that was paused at 60 s, and what happened until 82 s.
fn paused(size: (u16, u16)) -> Screen {
    let mut stories = troubled();
    stories.push(closing());
    let events = together(stories);
    let mut screen = Screen::after(size, &events, 60_000);
    screen.press(KeyCode::Char(' '));
    screen.happen(&after(&events, at(60_000)), at(82_000));
    screen
}

fn type_keys(screen: &mut Screen, keys: &str) {
    keys.chars().for_each(|key| screen.press(KeyCode::Char(key)));
}

/// Where a text begins on the screen.
fn place_of(screen: &mut Screen, text: &str) -> (u16, u16) {
    let picture = screen.picture();
    let found = picture.lines().enumerate().find_map(|(row, line)| {
        // Each line stands between quotes.
        let before = line.split_once(text)?.0.chars().count() - 1;
        Some((u16::try_from(before).ok()?, u16::try_from(row).ok()?))
    });
    found.unwrap_or_else(|| panic!("{text} is not on the screen:\n{picture}"))
}

fn selected(screen: &mut Screen) -> String {
    let picture = screen.picture();
    let row = picture.lines().find(|line| line.contains('›')).unwrap_or_default();
    row.chars().skip(4).take_while(|letter| !letter.is_whitespace()).collect()
}

/// What lies between the header and the keys.
fn middle(picture: &str) -> Vec<&str> {
    let lines: Vec<_> = picture.lines().skip(1).collect();
    lines[..lines.len() - 1].to_vec()
}

#[test]
fn a_paused_picture_stands_and_says_so() {
    for size in SIZES {
        let mut screen = paused(size);
        insta::assert_snapshot!(format!("paused_{}x{}", size.0, size.1), screen.picture());
    }
    let mut small = paused((30, 6));
    insta::assert_snapshot!("paused_30x6", small.picture());
}

#[test]
fn pausing_changes_nothing_but_header_and_keys_and_going_on_shows_the_present() {
    let mut stories = troubled();
    stories.push(closing());
    let events = together(stories);
    let before = Screen::after((120, 40), &events, 60_000).picture();
    let mut screen = paused((120, 40));
    assert_eq!(middle(&screen.picture()), middle(&before));
    screen.press(KeyCode::Char(' '));
    let mut present = Screen::after((120, 40), &events, 60_000);
    present.happen(&after(&events, at(60_000)), at(82_000));
    assert_eq!(screen.picture(), present.picture());
    assert_ne!(present.picture(), before);
}

#[test]
fn a_paused_picture_can_be_looked_at_from_all_sides_and_the_choice_stays() {
    let mut screen = paused((80, 24));
    let mut stories = troubled();
    stories.push(closing());
    let mut then = Screen::after((80, 24), &together(stories), 60_000);
    for keys in ["s", "S", "/7.31", "\n", "n", "\n", "+", "hh", "f"] {
        for key in keys.chars() {
            let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
            screen.press(code);
            then.press(code);
        }
        assert_eq!(middle(&screen.picture()), middle(&then.picture()), "{keys:?}");
    }
    screen.press(KeyCode::Char(' '));
    let picture = screen.picture();
    assert!(picture.contains("/7.31") && picture.contains("Sequence"), "{picture}");
    assert!(!picture.contains("PAUSED"), "{picture}");
}

#[test]
fn a_paused_picture_is_drawn_once_a_second_whatever_happens() {
    let mut stories = calm();
    stories.push(Story::of("10.2.6.3:58120", 5000).stream(5_500, 90_000, 1_000_000, 500_000));
    let events = together(stories);
    let mut screen = Screen::after((80, 24), &events, 40_000);
    screen.press(KeyCode::Char(' '));
    screen.draw();
    screen.happen(&after(&events, at(40_000)), at(40_050));
    assert_eq!(screen.view.next_draw(), Some(at(41_000)));
    screen.press(KeyCode::Char(' '));
    screen.draw();
    screen.happen(&after(&events, at(40_050)), at(80_000));
    assert_eq!(screen.view.next_draw(), Some(at(40_150)), "news are drawn with the next frame again");
}

#[test]
fn a_recording_has_its_own_pause() {
    let mut screen = Screen::after((80, 24), &together(calm()), 60_000);
    screen.play();
    let space = Input::Key(KeyCode::Char(' ').into());
    assert_eq!(screen.view.control(&space), Some(Control::Pause));
    screen.press(KeyCode::Char(' '));
    assert!(!screen.picture().contains("PAUSED"), "the player stands still, and says so itself");
}

#[test]
fn a_filter_being_typed_has_its_keys_in_the_last_line() {
    for size in SIZES {
        let mut screen = Screen::after(size, &together(troubled()), 60_000);
        type_keys(&mut screen, "/10.2.7");
        insta::assert_snapshot!(format!("filter_typed_{}x{}", size.0, size.1), screen.picture());
    }
}

#[test]
fn a_filter_is_typed_only_where_it_can_be_seen() {
    let typing = |open: &dyn Fn(&mut Screen)| {
        let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
        type_keys(&mut screen, "/10.2.7");
        open(&mut screen);
        screen.press(KeyCode::Esc);
        screen.picture()
    };
    // What lies over the list is closed by the first esc, and the filter is still there.
    let after_help = typing(&|screen| screen.press(KeyCode::F(1)));
    let after_page = typing(&|screen| {
        let place = place_of(screen, "10.2.7.31:51846");
        screen.mouse(CLICK, place);
        screen.mouse(CLICK, place);
        assert!(screen.picture().contains("‹ 10.2.0.5:3306 → 10.2.7.31:51846"));
    });
    for picture in [after_help, after_page] {
        assert!(picture.contains("/10.2.7 ") && picture.contains("Connections ──"), "{picture}");
    }
}

#[test]
fn the_list_begins_in_the_order_and_with_the_filter_that_were_asked_for() {
    let order: Order = "-window".parse().unwrap();
    let wishes = Wishes { order, filter: "10.2".to_owned(), ..Wishes::default() };
    let mut screen = Screen::arranged((80, 24), wishes);
    screen.happen(&together(troubled()), at(60_000));
    insta::assert_snapshot!("sorted_80x24", screen.picture());
}

#[test]
fn what_has_ended_stays_as_long_as_is_asked_for() {
    let ended = stalled().fin_by_server(50_000).then(50_001, SocketEventKind::Destroyed);
    let events = together([ended]);
    let shows = |seconds: u64, now| {
        let keep_ended = Duration::from_secs(seconds);
        let mut screen = Screen::arranged((80, 24), Wishes { keep_ended, ..Wishes::default() });
        screen.happen(&events, at(now));
        screen.picture().contains("× 10.2.7.31:51844")
    };
    assert_eq!([51_000, 55_000, 56_000].map(|now| shows(5, now)), [true, true, false]);
    assert_eq!([51_000, 60_000].map(|now| shows(0, now)), [false, false]);
    assert_eq!([56_000, 109_000, 111_000].map(|now| shows(60, now)), [true, true, false]);
}

#[test]
fn the_page_of_keys_can_be_turned() {
    let mut screen = Screen::after((60, 15), &together(calm()), 60_000);
    screen.press(KeyCode::Char('?'));
    let first = screen.picture();
    assert!(first.contains("1-11 of 3") && !first.contains("quit; ctrl-c"), "{first}");
    screen.press(KeyCode::PageDown);
    screen.press(KeyCode::Down);
    assert!(screen.picture().contains("11-21 of 3"), "{}", screen.picture());
    screen.press(KeyCode::End);
    assert!(screen.picture().contains("Mouse ──"), "{}", screen.picture());
    (0..9).for_each(|_| screen.press(KeyCode::Down));
    screen.press(KeyCode::Up);
    assert!(!screen.picture().contains("selects text as ever"), "past the end nothing is waited for");
    screen.press(KeyCode::Home);
    assert_eq!(screen.picture(), first);
    // The list below has not moved.
    screen.press(KeyCode::Esc);
    assert_eq!(selected(&mut screen), "10.2.8.17:39021");
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    let place = place_of(&mut screen, "10.2.8.17:39024");
    screen.mouse(CLICK, place);
    assert_eq!(selected(&mut screen), "10.2.8.17:39024");
    screen.mouse(CLICK, place);
    assert!(screen.picture().contains("‹ 10.2.0.5:3306 → 10.2.8.17:39024"), "{}", screen.picture());
    // The sign in the title leads back.
    let place = place_of(&mut screen, "‹");
    screen.mouse(CLICK, place);
    assert_eq!(selected(&mut screen), "10.2.8.17:39024");
}

#[test]
fn a_click_on_the_head_of_a_column_sorts_by_it() {
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    let place = place_of(&mut screen, "CLIENT");
    screen.mouse(CLICK, place);
    assert!(screen.picture().contains("CLIENT ▾"), "{}", screen.picture());
    screen.mouse(CLICK, place);
    assert!(screen.picture().contains("CLIENT ▴"), "{}", screen.picture());
    let place = place_of(&mut screen, "TIMEOUT");
    screen.mouse(CLICK, place);
    assert!(screen.picture().contains("TIMEOUT IN ▾"), "{}", screen.picture());
    // There is no order of sparklines.
    let (before, place) = (screen.picture(), place_of(&mut screen, "LAST 60 s"));
    screen.mouse(CLICK, place);
    assert_eq!(screen.picture(), before);
}

#[test]
fn the_wheel_scrolls_the_list_and_the_selection_goes_with_it_only_where_it_must() {
    let stories =
        (0..40).map(|n| Story::of(&format!("10.2.8.17:{}", 40_000 + n), 1000).flow(1500, 10, 0, 64_000));
    let mut screen = Screen::after((80, 24), &together(stories), 60_000);
    screen.press(KeyCode::Down);
    (0..4).for_each(|_| screen.press(KeyCode::Down));
    let list = (10, 8);
    screen.mouse(MouseEventKind::ScrollDown, list);
    assert_eq!(place_of(&mut screen, "10.2.8.17:40003").1, 4, "three lines");
    assert_eq!(selected(&mut screen), "10.2.8.17:40005");
    screen.mouse(MouseEventKind::ScrollDown, list);
    assert_eq!(selected(&mut screen), "10.2.8.17:40006");
    (0..99).for_each(|_| screen.mouse(MouseEventKind::ScrollDown, list));
    assert!(screen.picture().contains("10.2.8.17:40039"));
    (0..99).for_each(|_| screen.mouse(MouseEventKind::ScrollUp, list));
    assert_eq!(place_of(&mut screen, "10.2.8.17:40000").1, 4);
    // As far up as it had to go, and no further.
    let rows = screen.picture().lines().filter(|line| line.contains("10.2.8.17:4")).count();
    assert_eq!(selected(&mut screen), format!("10.2.8.17:{}", 40_000 + rows - 1));
}

#[test]
fn the_wheel_zooms_the_chart_and_a_click_on_it_opens_the_page() {
    let mut stories = calm();
    stories.push(lost());
    let mut screen = Screen::after((120, 40), &together(stories), 82_000);
    let chart = place_of(&mut screen, "wnd │");
    let whole = screen.picture();
    assert!(whole.contains("-60 s "), "{whole}");
    screen.mouse(MouseEventKind::ScrollUp, chart);
    let zoomed = screen.picture();
    assert!(!zoomed.contains("-60 s ") && zoomed.contains("-30 s "), "{zoomed}");
    screen.mouse(MouseEventKind::ScrollDown, chart);
    assert_eq!(screen.picture(), whole);
    screen.mouse(CLICK, chart);
    assert!(!screen.picture().contains("Connections ──"), "{}", screen.picture());
}

#[test]
fn a_click_on_the_bar_of_a_recording_goes_there() {
    let mut screen = Screen::after((80, 24), &together(calm()), 60_000);
    screen.play();
    screen.draw();
    let click = |column, row| {
        let mouse = MouseEvent { kind: CLICK, column, row, modifiers: KeyModifiers::NONE };
        screen.view.control(&Input::Mouse(mouse))
    };
    let seek = |thousandths| Some(Control::Seek(thousandths));
    assert_eq!([0, 1, 78, 79].map(|x| click(x, 22)), [seek(0), seek(0), seek(1000), seek(1000)]);
    assert_eq!(click(40, 22), seek(506));
    assert_eq!([click(40, 21), click(40, 23)], [None, None]);
}

#[test]
fn the_mouse_may_do_anything_anywhere() {
    let kinds = [
        CLICK,
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::Moved,
    ];
    let events = together(troubled());
    for size in [(0, 0), (1, 1), (30, 6), (40, 8), (80, 24), (120, 40)] {
        let mut screen = Screen::after(size, &events, 60_000);
        for row in (0..=size.1).step_by(3).chain([u16::MAX]) {
            for column in (0..=size.0).step_by(13).chain([u16::MAX]) {
                for kind in kinds {
                    screen.mouse(kind, (column, row));
                }
                if row % 2 == 0 {
                    screen.press(KeyCode::Char('?'));
                }
            }
        }
        screen.draw();
    }
}
