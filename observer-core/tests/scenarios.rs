//! One story, one file in `tests/scenarios`, with the expected outcome at its end.
//!
//! A story is TOML. Times are seconds from its beginning.
//!
//! - `net_write_timeout`: what the user gave, in seconds; without it the default is assumed.
//! - `server_timeouts`: what the user gave for some servers, as in the header of the log.
//! - `max_connections`, where the story is about that.
//! - `defaults`: what every event has unless it says otherwise.
//! - `events`: in the order of their arrival, as in the event log. A `socket` or `wire` event needs to name only what
//!   matters. `clients = N` makes the same of N clients, with ports and cookies of their own.
//! - `headlines`: what the headline says `at` a moment, as far as `text` goes.
//! - `end`: so long the story goes on after its last event.
//! - `findings`: all of them in order, each with what is to be checked; `sentence` is what is said.
//! - `connections`: all that are left, by their age, each with what is to be checked; `verdict` is its verdict at the end
//!   of the story, of whose lists those lines are named that have to be there, as far as they go.

#[path = "scenarios/support/mod.rs"]
mod support;

use std::path::Path;

use support::Story;

#[test]
#[expect(clippy::disallowed_methods, reason = "the stories are files")]
fn every_story_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 20, "only {} stories were found", files.len());
    let mut failures = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let story = Story::parse(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        failures.extend(story.check().into_iter().map(|failure| format!("{name}: {failure}")));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
