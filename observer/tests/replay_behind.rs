//! Keys that follow a jump in a long recording at once, while the judgement is on its way there.

#![expect(clippy::unwrap_used, reason = "a recording that cannot be played is a failure")]

mod support;

use std::future::pending;
use std::path::Path;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use observer::replay::{self, Extent};
use observer::source::recording::{Options, Recording, Source};
use observer::view::{Speed, View};
use observer_core::Config;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use support::recording::write_log;
use support::screen::ALL;
use support::story::{Story, together};

/// The name and the text of the report that these keys lead to, typed at once when the recording begins. It lasts from 1 s
/// to 66.2 s, nine tenths are at 59.68 s; there are many more events than are judged between two keys.
async fn reported(keys: &str) -> (String, String) {
    let place = tempfile::tempdir().unwrap();
    let (log, reports) = (place.path().join("log"), place.path().join("reports"));
    std::fs::create_dir(&reports).unwrap();
    let story = Story::of("10.2.7.31:51844", 1000)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes((9_000..40_000).step_by(4))
        .probes([66_200]);
    write_log(&log, "db1", &together([story]));
    let source = Source::open(&log).unwrap();
    let open = || Recording::open(&source, &Options::default());
    let config = Config::default();
    let extent = Extent::of(open().unwrap(), &config).unwrap();
    let terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
    let view = View::new(terminal, ALL, "db1", config.clone()).with_reports_in(reports.clone());
    let inputs = stream::iter(
        keys.chars()
            .map(|key| Ok(Input::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE))))
            .collect::<Vec<_>>(),
    );
    let (fail_on, speed, stop) = (None, Speed(1.0), pending());
    replay::play(replay::Parts { open, extent, config, fail_on, speed, view, inputs, stop }).await.unwrap();
    only_report(&reports)
}

fn only_report(directory: &Path) -> (String, String) {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let reports: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    let [report] = &reports[..] else { panic!("{reports:?}") };
    let name = report.file_name().unwrap().to_str().unwrap().to_owned();
    (name, std::fs::read_to_string(report).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_report_tells_all_that_has_happened_by_then() {
    let (name, report) = reported("9r").await;
    assert!(name.ends_with("-20240504T140359Z.md"), "{name}");
    // The warning, at 56.8 s, is the last that has happened.
    assert!(report.contains("observer warns: net_write_timeout is running out"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_event_before_is_the_last_one_before_where_the_jump_leads_to() {
    let (name, _) = reported("9,r").await;
    assert!(name.ends_with("-20240504T140339Z.md"), "{name}");
    let (name, _) = reported("9,,,r").await;
    assert!(name.ends_with("-20240504T140339Z.md"), "{name}");
}
