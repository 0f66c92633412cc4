//! The styles of the view in each theme: text snapshots have none.

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crossterm::event::KeyCode;
use observer::view::{Abilities, Theme};
use observer_core::{End, EventKind, SocketEventKind};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use support::scenes::{closing, lost, troubled};
use support::screen::Screen;
use support::story::{Story, at, events_lost, together};

const THEMES: [Theme; 3] = [Theme::Dark, Theme::Light, Theme::Mono];

/// Everything that has a style of its own: stalls of every kind, what is lost, what has ended, and lost events.
fn screen(theme: Theme) -> Screen {
    let mut stories = troubled();
    let ended = Story::of("10.2.8.30:40100", 50_000).flow(51_000, 10, 0, 64_000).fin_by_server(75_000);
    let ended = ended.then(75_100, SocketEventKind::Destroyed);
    let begun = Story::of("10.2.7.41:40001", 60_000).seen_at(End::Server);
    let begun = begun.stream(60_500, 74_000, 900_000, 3_100_000).zero_window(75_000);
    let begun = begun.probes([75_230, 75_690]).socket(76_000, 0, 1_340_000);
    stories.extend([closing(), lost_on(SocketAddr::from(([10, 2, 7, 40], 40_000))), ended, begun]);
    let mut events = together(stories);
    events.insert(0, events_lost(0, 3));
    let mut screen = Screen::new((120, 40), Abilities { theme, unicode: true });
    screen.happen(&events, at(82_000));
    screen
}

/// The lost connection of the scenes under another address.
fn lost_on(client: SocketAddr) -> Story {
    let mut story = lost();
    for event in &mut story.events {
        if let EventKind::Socket(socket) = &mut event.kind {
            socket.socket.flow.client = client;
        }
    }
    story
}

/// Pictures of the list, of a page, of the help, of a filter, and of a picture that stands still.
fn pictures(theme: Theme) -> Vec<Buffer> {
    ["", "\n", "?", "/7", " "]
        .map(|keys| {
            let mut screen = screen(theme);
            for key in keys.chars() {
                screen.press(if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) });
            }
            screen.draw();
            screen.view.terminal().backend().buffer().clone()
        })
        .into()
}

/// One letter for a cell's style: that of its colour, a capital where it is bold; without a colour `W` where it is bold, `-`
/// where it is dim, and else `.`. What is reversed is `#`, and a blank has no style to be seen.
fn letter(cell: &Cell) -> char {
    let has = |modifier| cell.modifier.contains(modifier);
    let colour = match cell.fg {
        _ if has(Modifier::REVERSED) => '#',
        _ if cell.symbol() == " " => ' ',
        Color::Reset if has(Modifier::DIM) => '-',
        Color::Reset if has(Modifier::BOLD) => 'W',
        Color::Reset => '.',
        Color::Red => 'r',
        Color::Green => 'g',
        Color::Yellow => 'y',
        Color::Blue => 'b',
        Color::Magenta => 'm',
        Color::Cyan => 'c',
        other => panic!("{other} is not one of the roles' colours"),
    };
    if has(Modifier::BOLD) { colour.to_ascii_uppercase() } else { colour }
}

#[test]
fn every_theme_has_its_styles() {
    for theme in THEMES {
        let mut screen = screen(theme);
        screen.draw();
        let buffer = screen.view.terminal().backend().buffer();
        let lines = buffer.content.chunks(120).map(|line| {
            let letters: String = line.iter().map(letter).collect();
            letters.trim_end().to_owned()
        });
        let name = format!("{theme:?}").to_lowercase();
        insta::assert_snapshot!(format!("styles_{name}"), lines.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn all_themes_say_the_same() {
    let of = |theme| pictures(theme).iter().map(|buffer| text(&buffer.content)).collect::<Vec<_>>();
    assert!(of(Theme::Dark) == of(Theme::Light) && of(Theme::Dark) == of(Theme::Mono));
}

#[test]
fn each_theme_has_its_colours_and_no_ground() {
    let colours = |theme| {
        let pictures = pictures(theme);
        let cells = pictures.iter().flat_map(|picture| &picture.content);
        assert!(cells.clone().all(|cell| cell.bg == Color::Reset), "the ground is the user's own");
        cells.map(|cell| format!("{}", cell.fg)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(colours(Theme::Dark), ["Cyan", "Green", "Magenta", "Red", "Reset", "Yellow"]);
    // Yellow, cyan and white cannot be read on a light ground.
    assert_eq!(colours(Theme::Light), ["Blue", "Green", "Magenta", "Red", "Reset"]);
    assert_eq!(colours(Theme::Mono), ["Reset"]);
}

fn text(cells: &[Cell]) -> String {
    cells.iter().map(Cell::symbol).collect()
}

/// The rows of the list: what stands between its heads and the page below it.
fn rows(buffer: &Buffer) -> Vec<&[Cell]> {
    let lines = buffer.content.chunks(buffer.area.width.into());
    let below = lines.skip_while(|line| !text(line).contains("CLIENT  ")).skip(1);
    below.take_while(|line| !text(line).starts_with(" ‹") && !text(line).trim().is_empty()).collect()
}

#[test]
fn no_severity_is_told_by_colour_alone() {
    let dark = &pictures(Theme::Dark)[0];
    let mut signs = BTreeSet::new();
    for row in rows(dark) {
        // The first cell has the mark of the selection.
        let is_coloured = row[1..].iter().any(|cell| cell.fg != Color::Reset);
        let sign = row[1].symbol();
        assert_eq!(is_coloured, "▲●■".contains(sign), "{}", text(row));
        signs.insert(sign);
    }
    assert_eq!(signs, BTreeSet::from([" ", "·", "×", "●", "▲", "■"]));
}

#[test]
fn a_key_goes_from_theme_to_theme() {
    let mut screen = screen(Theme::Dark);
    let mut has = |colour| {
        screen.draw();
        let has = screen.view.terminal().backend().buffer().content.iter().any(|cell| cell.fg == colour);
        screen.press(KeyCode::Char('t'));
        has
    };
    assert!(has(Color::Cyan), "dark");
    assert!(has(Color::Blue), "light");
    assert!(!has(Color::Red), "none");
    assert!(has(Color::Cyan), "dark again");
}
