//! The report as Debian's Chromium shows it: nothing is blocked or broken, nothing has to be scrolled sideways, every
//! label can be read, light and dark, and on paper each connection has a page.

#![expect(clippy::unwrap_used, reason = "a page that cannot be shown is a failure")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use observer_core::{End, Event, SocketEventKind};
use scraper::{Html, Selector};
use serde_json::Value;
use support::page::{both_ends, page_of};
use support::story::Story;

/// Measures the page it is put into.
const LOOK: &str = include_str!("browser/look.js");
/// Widths of a desktop's window and a phone, in CSS pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// Whether there is a Chromium; where there is none, the test is skipped by name and reason. Under CI it must run.
fn is_there(test: &str) -> bool {
    let there = Command::new("chromium").arg("--version").output().is_ok();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{test} needs chromium, and nothing is skipped under CI");
        let line = format!("skipped: {test}: it needs chromium (cargo xtask setup)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    there
}

/// Runs Chromium on a page, and gives what it printed.
fn browse(page: &str, args: &[&str]) -> (String, String, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("page.html");
    fs::write(&file, page).unwrap();
    let profile = format!("--user-data-dir={}", place.path().join("profile").display());
    let Output { stdout, stderr, status } = Command::new("chromium")
        // Of root, a sandbox is refused; the page is our own.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"])
        .arg(profile)
        .args(args)
        .arg(format!("file://{}", file.display()))
        .current_dir(place.path())
        .output()
        .unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(status.success(), "{stderr}");
    (stdout, stderr, place)
}

/// What pages look like in frames so wide: a window of Chromium's is no narrower than 500 pixels.
fn looks(pages: &[(String, String, u32)], dark: bool) -> Value {
    let frames = pages.iter().map(|(name, page, width)| {
        // The page's policy forbids scripts: for the measurement it has none.
        let (head, rest) = page.split_once("<meta http-equiv").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let measured = format!("{head}{}", rest.replace("</body>", &format!("<script>{LOOK}</script></body>")));
        let content = measured.replace('&', "&amp;").replace('"', "&quot;");
        format!("<iframe name=\"{name}\" width={width} height=4000 style=\"border: 0\" srcdoc=\"{content}\"></iframe>")
    });
    let head = "<!DOCTYPE html><meta charset=utf-8><meta name=color-scheme content=\"light dark\">";
    let page = format!("{head}{}", frames.collect::<String>());
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let (dom, stderr, _) = browse(&page, &["--dump-dom", &scheme]);
    let parsed = Html::parse_document(&dom);
    let root = parsed.select(&Selector::parse("html").unwrap()).next().unwrap();
    let looks = root.attr("data-looks").unwrap_or_else(|| panic!("nothing was measured: {stderr}"));
    serde_json::from_str(looks).unwrap()
}

/// A reader that trickles: its window opens and closes until the server gives up.
fn trickle() -> Vec<Event> {
    let mut story =
        Story::of("10.2.7.31:51850", 1000).greeting(1010).stream(1500, 8_000, 1_200_000, 3_100_000);
    for stall in 0..6 {
        let from = 8_800 + stall * 9_000;
        story = story.zero_window(from).probes([from + 230, from + 690, from + 1_610]);
        story =
            story.window_update(from + 8_000, 190_000).stream(from + 8_100, from + 8_900, 60_000, 190_000);
    }
    story.zero_window(62_800).then(75_000, SocketEventKind::Reset { by: End::Server }).events
}

/// It was read to its end.
fn clean() -> Vec<Event> {
    let story =
        Story::of("10.2.7.31:51846", 2000).stream(2500, 8_000, 1_200_000, 3_100_000).zero_window(9_000);
    let story =
        story.probes([9_230]).window_update(40_000, 800_000).stream(40_500, 44_000, 1_200_000, 3_100_000);
    story.then(44_100, SocketEventKind::Destroyed).events
}

#[test]
fn can_be_read_on_a_desktop_and_on_a_phone_by_day_and_by_night() {
    if !is_there("can_be_read_on_a_desktop_and_on_a_phone_by_day_and_by_night") {
        return;
    }
    let stories =
        [("a full stall", both_ends(), 8), ("a trickle", trickle(), 4), ("a clean end", clean(), 4)];
    let mut pages = Vec::new();
    for (story, events, curves) in stories {
        let page = page_of(&[("log", events)]);
        pages.extend(WIDTHS.map(|width| ((format!("{story} at {width}"), page.clone(), width), curves)));
    }
    let (pages, curves): (Vec<_>, Vec<_>) = pages.into_iter().unzip();
    for dark in [false, true] {
        let looks = looks(&pages, dark);
        for ((name, _, width), curves) in pages.iter().zip(&curves) {
            let look = &looks[name];
            let what = format!("{name}, dark {dark}: {look:#}");
            assert_eq!((&look["width"], &look["dark"]), (&(*width).into(), &dark.into()), "{what}");
            assert!(look["needed"].as_u64().unwrap() <= (*width).into(), "{what}");
            let count = |of: &str| look[of].as_array().unwrap().len();
            assert!(look["texts"].as_u64().unwrap() > 40 && count("labels") > 15, "{what}");
            for never in ["small", "faint", "overlapping", "outside"] {
                assert_eq!(count(never), 0, "{never}: {what}");
            }
            let drawn = look["curves"].as_array().unwrap();
            let is_wide = |curve: &&Value| curve["width"].as_f64().unwrap() > f64::from(*width) / 3.0;
            assert_eq!(drawn.iter().filter(is_wide).count(), *curves, "{what}");
        }
    }
}

#[test]
fn the_browser_has_nothing_to_complain_of() {
    if !is_there("the_browser_has_nothing_to_complain_of") {
        return;
    }
    let page = page_of(&[("log", both_ends())]);
    let (dom, stderr, _) = browse(&page, &["--dump-dom"]);
    assert!(dom.contains("10.2.7.31:51844"));
    assert!(!stderr.contains("CONSOLE"), "{stderr}");
    // It would be said.
    let (_, stderr, _) = browse(&page.replace("</body>", "<script>1</script></body>"), &["--dump-dom"]);
    assert!(stderr.contains("CONSOLE") && stderr.contains("Content Security Policy"), "{stderr}");
}

#[test]
fn on_paper_each_connection_has_a_page() {
    if !is_there("on_paper_each_connection_has_a_page") {
        return;
    }
    let pages = |logs: &[(&str, Vec<Event>)]| {
        let (_, _, place) = browse(&page_of(logs), &["--print-to-pdf=page.pdf", "--no-pdf-header-footer"]);
        pages_of(&place.path().join("page.pdf"))
    };
    let one = pages(&[("one", clean())]);
    let two = pages(&[("one", clean()), ("two", trickle())]);
    assert!((1..=2).contains(&one), "{one} pages");
    assert!((3..=5).contains(&two), "{two} pages: the summary, and one or two of each");
}

/// How many pages a PDF has, by its page tree.
fn pages_of(pdf: &Path) -> usize {
    let bytes = fs::read(pdf).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    text.match_indices("/Type /Page").filter(|(at, found)| !text[at + found.len()..].starts_with('s')).count()
}
