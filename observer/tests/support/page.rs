//! Reports as pages.

use observer::report::{self, Options};
use observer::source::recording::Source;
use observer_core::{End, Event, SocketEventKind};

use super::recording::write_log;
use super::story::{Story, together};

/// The page about these logs.
pub(crate) fn page_of(logs: &[(&str, Vec<Event>)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let paths = logs.iter().map(|(name, events)| {
        let path = directory.path().join(name);
        write_log(&path, "db1", events);
        path
    });
    let sources: Vec<_> = paths.map(|path| Source::open(&path).unwrap()).collect();
    let report = report::build(&sources, &Options::default()).unwrap();
    let mut page = Vec::new();
    report::html(&report, &mut page).unwrap();
    String::from_utf8(page).unwrap().replace(&format!("{}/", directory.path().display()), "")
}

/// A stall with everything that a chart can show, seen at both ends.
pub(crate) fn both_ends() -> Vec<Event> {
    let client = Story::of("10.2.7.31:51844", 1000)
        .greeting(1010)
        .owned(1100)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .socket(9_000, 896_000, 0)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000, 37_400, 66_200])
        .window_update(128_800, 800_000)
        .socket(128_900, 410_000, 0)
        .fin_by_server(128_900)
        .then(129_400, SocketEventKind::Reset { by: End::Client })
        .then(129_401, SocketEventKind::Destroyed);
    let server = Story::of("10.2.7.31:51844", 1000)
        .seen_at(End::Server)
        .socket(2_000, 0, 40_000)
        .socket(9_000, 0, 1_340_000)
        .socket(128_000, 0, 1_340_000);
    together([client, server])
}

/// The chart of a page with one as a picture of its own.
pub(crate) fn chart_of(page: &str) -> String {
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from).unwrap();
        rest.split_once(to).unwrap().0.to_owned()
    };
    let (style, figure) = (between("<style>", "</style>"), between("<figure>", "<figcaption>"));
    let (tag, rest) = figure.split_once('>').unwrap();
    let tag = tag.replace("width=\"100%\"", "width=\"820\" xmlns=\"http://www.w3.org/2000/svg\"");
    format!("{tag} style=\"background: var(--paper)\">\n<style>{style}</style>\n{rest}\n")
        .replace("><", ">\n<")
}
