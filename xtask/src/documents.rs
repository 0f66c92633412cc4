//! Every `cargo xtask` that the documents name exists, with its options. The observer's commands are looked at by
//! `observer/tests/documents`.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::Cli;
use crate::places::repository;

/// The documents for people, at the root and in `docs`.
fn documents() -> Vec<PathBuf> {
    let directories = [repository().to_owned(), repository().join("docs")];
    let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).expect("it is there"));
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// What follows `cargo xtask`, up to the end of the line, of a comment's, or of what stands between backquotes.
fn told(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split("cargo xtask ").skip(1).map(|rest| {
        let end = rest.find(['\n', '`', '#', '|', '"']).unwrap_or(rest.len());
        rest[..end].trim_end_matches("-->").split_whitespace().collect()
    })
}

#[test]
fn every_task_in_the_documents_exists() {
    let mut program = Cli::command();
    program.build();
    let (mut unknown, mut count) = (Vec::new(), 0);
    for path in documents() {
        let text = fs::read_to_string(&path).expect("it is text");
        for words in told(&text) {
            count += 1;
            let task = words.first().and_then(|word| program.find_subcommand(word));
            let has = |option: &str| {
                let is_named =
                    |arg: &clap::Arg| arg.get_long().is_some_and(|long| option == format!("--{long}"));
                task.is_some_and(|task| task.get_arguments().any(is_named))
            };
            let options = words.iter().map(|word| word.trim_start_matches('[').trim_end_matches(']'));
            let mut options = options.filter(|option| option.starts_with("--"));
            if task.is_none() || options.any(|option| !has(option)) {
                unknown.push(format!("{}: cargo xtask {}", path.display(), words.join(" ")));
            }
        }
    }
    assert!(count >= 15, "{count}");
    assert!(unknown.is_empty(), "{unknown:#?}");
}
