//! The report as a page: what a browser finds in it, and what it must never find.

#![expect(clippy::unwrap_used, reason = "a page without what is looked for is a failure")]

mod support;

use std::collections::HashSet;

use observer_core::{End, Event, EventKind, SocketEventKind, SourceEvent};
use scraper::{ElementRef, Html, Selector};
use support::page::{both_ends, page_of};
use support::story::{Story, at, degraded, events_lost};

fn page(events: Vec<Event>) -> String {
    page_of(&[("log", events)])
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect()
}

fn killed() -> Vec<Event> {
    let story = Story::of("10.2.7.31:51848", 2000).greeting(2010);
    story.stream(2500, 8_000, 1_200_000, 3_100_000).fin_by_server(8_100).socket(8_150, 300_000, 0).events
}

/// Windows are all that is known.
fn without_samples() -> Vec<Event> {
    let mut events = both_ends();
    events.retain(|event| {
        let EventKind::Socket(socket) = &event.kind else { return true };
        !matches!(socket.kind, SocketEventKind::Wire(_) | SocketEventKind::Socket(_))
    });
    events
}

fn incomplete() -> Vec<Event> {
    let mut events = both_ends();
    events.insert(0, degraded(0));
    events.push(events_lost(129_500, 12));
    events
}

/// One element a line, without the style.
fn readable(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    format!("{head}{rest}").replace("><", ">\n<")
}

#[test]
fn a_page() {
    insta::assert_snapshot!(readable(&page(incomplete())));
}

#[test]
fn is_html_without_an_error() {
    for events in [both_ends(), killed(), without_samples(), incomplete(), vec![]] {
        let page = page(events);
        let parsed = Html::parse_document(&page);
        assert_eq!(parsed.errors, Vec::<&str>::new(), "{page}");
        let ids: Vec<_> = all(&parsed, "[id]").iter().map(|element| element.attr("id").unwrap()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn needs_nothing_and_runs_nothing() {
    for events in [both_ends(), incomplete()] {
        let page = page(events);
        for never in ["://", "url(", "@import", "<script", "<link", "<img", "javascript:", " src=", " on"] {
            let found = page.find(never).map(|at| &page[at.saturating_sub(40)..page.len().min(at + 40)]);
            let is_word = never == " on" && found.is_some_and(|found| !found.contains('='));
            assert!(found.is_none() || is_word, "{never}: {found:?}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn the_chart_shows_sequence_window_and_queues_and_says_so() {
    let page = page(both_ends());
    let parsed = Html::parse_document(&page);
    let titles: Vec<_> = all(&parsed, ".legend .title").into_iter().map(text).collect();
    assert_eq!(titles, ["Sequence", "Window", "Queues"]);
    for curve in ["acknowledged", "sent", "edge", "window", "unread", "queued", "buffered", "limit"] {
        let paths = all(&parsed, &format!(".curves path.{curve}"));
        let [path] = paths[..] else { panic!("{curve}: {} curves", paths.len()) };
        let path = path.attr("d").unwrap();
        assert!(path.starts_with('M') && path.contains('L') && !path.contains("NaN"), "{curve}: {path}");
    }
    for lane in ["closed", "probe", "deadline", "end", "application"] {
        assert!(!all(&parsed, &format!(".chart g.{lane} :is(rect, line)")).is_empty(), "{lane}");
    }
    let description = text(all(&parsed, "svg desc")[0]);
    assert!(description.contains("closed for 120.0 s from 14:03:08.800"), "{description}");
    assert!(description.contains("unread up to 896 kB"), "{description}");
}

#[test]
fn without_samples_there_is_what_is_known() {
    let page = page(without_samples());
    let parsed = Html::parse_document(&page);
    let titles: Vec<_> = all(&parsed, ".legend .title").into_iter().map(text).collect();
    assert_eq!(titles, ["Window"]);
}

#[test]
fn is_for_those_who_do_not_see_it_too() {
    let page = page(both_ends());
    let parsed = Html::parse_document(&page);
    assert_eq!(all(&parsed, "html[lang=en]").len(), 1);
    let svg = all(&parsed, "figure > svg");
    assert_eq!(svg.len(), 1);
    assert_eq!(svg[0].attr("role"), Some("img"));
    for id in svg[0].attr("aria-labelledby").unwrap().split(' ') {
        assert!(!text(all(&parsed, &format!("svg > [id={id}]"))[0]).is_empty(), "{id}");
    }
    let headers = all(&parsed, "table > thead th");
    assert!(headers.len() >= 3 && headers.iter().all(|th| th.attr("scope") == Some("col")));
    assert!(headers.into_iter().all(|th| !text(th).is_empty()));
}

#[test]
fn what_is_missing_stands_before_what_is_said() {
    let page = page(incomplete());
    let parsed = Html::parse_document(&page);
    let missing = text(all(&parsed, "header > .missing")[0]);
    assert!(missing.contains("12 events were lost") && missing.contains("kernel programs"), "{missing}");
    assert!(page.find("class=\"missing\"").unwrap() < page.find("10.2.7.31").unwrap());
}

#[test]
fn what_others_wrote_is_text() {
    let hostile = "9.7\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\n</h2></title><script>alert(1)</script>\
                   <img src=x onerror=alert(1)>\"' onmouseover=\"x&amp;";
    let greeting =
        SocketEventKind::Greeting { version: hostile.to_owned(), thread_id: 1, capabilities: None };
    let mut events = Story::of("10.2.7.31:51850", 1000)
        .then(1010, greeting)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480])
        .then(68_800, SocketEventKind::Reset { by: End::Server })
        .events;
    let [part, because, without] = [(); 3].map(|()| hostile.to_owned());
    let kind = EventKind::Source(SourceEvent::Degraded { part, because, without });
    events.insert(0, Event { at: at(0), kind });
    let page = page(events);
    assert!(page.matches("owned").count() >= 4, "{page}");
    assert!(page.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
    let parsed = Html::parse_document(&page);
    assert_eq!(parsed.errors, Vec::<&str>::new());
    assert!(all(&parsed, "script, img, [onerror], [onmouseover]").is_empty());
    let title = text(all(&parsed, "h2")[0]);
    assert!(title.contains("</h2></title><script>alert(1)</script>"), "{title}");
}

#[test]
fn of_several_files_each_connection_has_its_place() {
    let logs = [("one", both_ends()), ("two", killed())];
    let page = page_of(&logs);
    let parsed = Html::parse_document(&page);
    let links: Vec<_> =
        all(&parsed, "nav a").into_iter().map(|link| link.attr("href").unwrap().to_owned()).collect();
    assert_eq!(links, ["#c1", "#c2"]);
    for link in links {
        assert_eq!(all(&parsed, &format!("article{link}")).len(), 1, "{link}");
    }
    let sources: Vec<_> = all(&parsed, ".sources li").into_iter().map(text).collect();
    assert!(sources[0].starts_with("one: event log of db1") && sources[1].starts_with("two:"), "{sources:?}");
}

#[test]
fn of_nothing_there_is_a_page_too() {
    let page = page(vec![]);
    let parsed = Html::parse_document(&page);
    assert!(text(all(&parsed, "main")[0]).contains("0 connections were seen, none had trouble."), "{page}");
    assert!(all(&parsed, "article, table, svg, nav").is_empty());
}

#[test]
fn a_long_life_makes_no_long_page() {
    let mut story = Story::of("10.2.7.31:51844", 1000).stream(1_500, 500_000, 80_000, 300_000);
    for stall in 1..=200 {
        let from = stall * 500_000;
        story = story.zero_window(from).probes([from + 200, from + 600, from + 1_400]);
        story =
            story.window_update(from + 9_000, 300_000).stream(from + 9_500, from + 60_000, 80_000, 300_000);
    }
    let events = story.events;
    assert!(events.len() > 20_000, "{}", events.len());
    let page = page(events);
    assert!(page.len() < 100_000, "{}", page.len());
    assert_eq!(all(&Html::parse_document(&page), ".chart g.closed rect").len() % 2, 0);
}
