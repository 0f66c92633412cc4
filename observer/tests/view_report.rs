//! The report that a key writes while the view runs.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crossterm::event::KeyCode;
use support::pty::{Pty, observer};
use support::recording::write_log;
use support::scenes::{closing, stalled, troubled};
use support::screen::Screen;
use support::story::{Story, at, events_lost, together};

/// The one report that is there as Markdown; beside it, it is there as a page.
fn only_report(directory: &Path) -> PathBuf {
    let files =
        fs::read_dir(directory).expect("it is there").map(|file| file.expect("it can be read").path());
    let (pages, reports): (Vec<_>, Vec<_>) =
        files.partition(|path| path.extension().is_some_and(|end| end == "html"));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!(pages, [report.with_extension("html")]);
    report.clone()
}

/// The screen after `r`, and the one report that is there.
fn reported(mut screen: Screen, directory: &Path) -> (String, String) {
    screen.view = screen.view.with_reports_in(directory.to_owned());
    screen.press(KeyCode::Char('r'));
    (screen.picture(), fs::read_to_string(only_report(directory)).expect("the report can be read"))
}

#[test]
fn tells_of_the_selected_connection_as_it_stands_now() {
    let directory = tempfile::tempdir().unwrap();
    let mut events = together(troubled());
    events.insert(0, events_lost(0, 3));
    let (_, report) = reported(Screen::after((80, 24), &events, 60_000), directory.path());
    insta::assert_snapshot!(report);
}

#[test]
fn where_it_is_stands_at_the_bottom_until_the_next_key() {
    let directory = tempfile::tempdir().unwrap();
    let mut screen = Screen::after((80, 24), &together(troubled()), 60_000);
    screen.view = screen.view.with_reports_in(directory.path().to_owned());
    screen.press(KeyCode::Char('r'));
    let last = |screen: &mut Screen| screen.picture().lines().last().unwrap().to_owned();
    let name = "observer-report-db1-10.2.7.31-51844-20240504T140400Z.md";
    assert!(last(&mut screen).contains(name), "{}", last(&mut screen));
    let mode = directory.path().join(name).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    screen.press(KeyCode::Down);
    assert!(last(&mut screen).contains("q quit"), "{}", last(&mut screen));
}

#[test]
fn an_error_is_said_and_the_view_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut screen = Screen::after((120, 40), &together(troubled()), 60_000);
    screen.view = screen.view.with_reports_in(directory.path().join("gone"));
    screen.press(KeyCode::Char('r'));
    let picture = screen.picture();
    assert!(picture.contains("No report: No such file or directory"), "{picture}");
    assert!(picture.contains("make the directory first"), "{picture}");
}

#[test]
fn a_connection_without_trouble_has_one_too() {
    let directory = tempfile::tempdir().unwrap();
    let calm = Story::of("[2001:db8::7f]:41822", 1_000).stream(1_500, 30_000, 1_000_000, 3_100_000);
    let (picture, report) = reported(Screen::after((80, 24), &together([calm]), 60_000), directory.path());
    assert!(picture.contains("observer-report-db1-2001-db8--7f-41822-"), "{picture}");
    assert!(report.contains("# MySQL connection of \\[2001:db8::7f\\]:41822"), "{report}");
}

#[test]
fn a_recording_that_is_played_again_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let events = together([closing()]);
    let mut screen = Screen::after((80, 24), &events, 82_000);
    screen.view.restart();
    screen.tracker = observer_core::Tracker::new(observer_core::Config::default());
    screen.happen(&events, at(60_000));
    let (_, report) = reported(screen, directory.path());
    assert!(!report.contains("FIN: it has closed"), "{report}");
}

#[test]
fn nothing_is_written_while_the_keys_are_explained_or_nothing_is_selected() {
    let directory = tempfile::tempdir().unwrap();
    for events in [vec![], together([stalled()])] {
        let mut screen = Screen::after((80, 24), &events, 60_000);
        screen.view = screen.view.with_reports_in(directory.path().to_owned());
        if !events.is_empty() {
            screen.press(KeyCode::Char('?'));
        }
        screen.press(KeyCode::Char('r'));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_program_writes_it_where_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("incident.jsonl");
    write_log(&path, "db1", &together(troubled()));
    let reports = directory.path().join("reports");
    fs::create_dir(&reports).unwrap();
    let words =
        ["replay", path.to_str().unwrap(), "--speed", "1000", "--report-dir", reports.to_str().unwrap()];
    let mut pty = Pty::spawn(observer(&words), 100, 24);
    // The end of the recording.
    pty.wait_for("14:03:59.5");
    pty.type_keys("r");
    pty.wait_for("Report");
    pty.type_keys("q");
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();
    let file = only_report(&reports);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("observer-report-incident.jsonl-10.2.7.31-51844-20240504T1403"), "{name}");
    let page = fs::read_to_string(file.with_extension("html")).unwrap();
    assert!(page.contains("</svg>") && page.contains("10.2.7.31:51844"), "there is a chart");
    let report = fs::read_to_string(file).unwrap();
    assert!(report.contains("# MySQL connection of 10.2.7.31:51844"), "{report}");
    assert!(report.contains("the server probes the closed window"), "{report}");
}
