//! Commands: run beside the files that the documents name where that needs no privilege and no time, understood
//! otherwise.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::{CommandFactory as _, Parser as _};
use flate2::{Compression, write::GzEncoder};
use observer::cli::Cli;

use crate::shell::commands;
use crate::{Document, documents, repository};

/// Programs of others, each with the reason why it is not run here.
const INSTALLS: &str =
    "it changes the host; the package is installed and started in a Debian of its own by xtask's trial";
const OTHERS: &[(&str, &str)] = &[
    ("apt", INSTALLS),
    ("cd", INSTALLS),
    ("install", INSTALLS),
    ("systemctl", INSTALLS),
    ("tar", INSTALLS),
    ("useradd", INSTALLS),
    ("chromium", "a browser is for looking at a page; what is in it is tested by report_html"),
    ("cargo", "it builds and installs; what is xtask's is understood by a test of xtask"),
    ("rsync", "it asks another host; the files that it fetches are those that tests/fleet makes"),
    ("tcpdump", "it needs root and traffic; tests/e2e takes captures with it"),
];

/// Commands of the observer that are only understood, each with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("live", "it watches a host until it is told to end; tests/e2e runs it"),
    ("record", "the same; tests/record.rs runs it"),
    ("demo", "it takes half a minute; tests/e2e runs it"),
    ("doctor", "what it says is that of the host; tests/doctor.rs runs it"),
];

/// The files that the documents name.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/observer-log-1.jsonl");
    let capture = repository().join("fuzz/corpus/pcap/mysql-client-0.pcap");
    let part = "var/log/observer/observer-20240504T140341Z-000001.jsonl";
    let incident = "var/log/observer/incidents/20240504T140348Z-10.2.7.31-51844/events.jsonl";
    for (name, from) in [
        ("incident.jsonl", Path::new(log)),
        ("client.jsonl", Path::new(log)),
        (part, Path::new(log)),
        (incident, Path::new(log)),
        ("server.pcap", &capture),
        ("stall.pcap", &capture),
        ("events.jsonl", Path::new(log)),
        ("observer.toml", &repository().join("packaging/observer.toml")),
    ] {
        let name = place.path().join(name);
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::copy(from, name).unwrap();
    }
    let packed = fs::File::create(place.path().join("capture.pcap.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(&fs::read(capture).unwrap()).unwrap();
    packed.finish().unwrap();
    place
}

/// The observer's own words, if this is a command of it.
fn of_observer(words: &[String]) -> Option<&[String]> {
    let (program, rest) = words.split_first()?;
    ["observer", "target/release/observer", "target/debug/observer"]
        .contains(&program.as_str())
        .then_some(rest)
}

/// What is wrong with a command.
fn wrong(words: &[String], place: &Path) -> Option<String> {
    let Some(args) = of_observer(words) else {
        let is_known = OTHERS.iter().any(|(program, _)| *program == words[0]);
        return (!is_known)
            .then(|| "it is not known here: give it a test, or a reason why not, in OTHERS".to_owned());
    };
    let parsed = Cli::try_parse_from([&["observer".to_owned()], args].concat());
    if let Err(error) = parsed {
        let is_help = error.exit_code() == 0;
        return (!is_help).then(|| error.to_string());
    }
    let subcommand = args.first().filter(|first| !first.starts_with('-')).map_or("live", String::as_str);
    if NOT_RUN.iter().any(|(name, _)| *name == subcommand) || args.iter().any(|arg| arg == "--follow") {
        return None;
    }
    // Directories of the system are those of the place.
    let args = args.iter().map(|arg| arg.strip_prefix('/').unwrap_or(arg));
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    let output = command.args(args).current_dir(place).stdin(Stdio::null()).output().unwrap();
    let is_good = output.status.success() && !output.stdout.is_empty();
    (!is_good).then(|| format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_command_runs_or_is_understood() {
    let place = place();
    let (mut found, mut run) = (Vec::new(), 0);
    for document in documents() {
        for words in document.blocks("sh").iter().flat_map(|block| commands(block)) {
            run += 1;
            if let Some(wrong) = wrong(&words, place.path()) {
                found.push(format!("{}: {}: {wrong}", document.path.display(), words.join(" ")));
            }
        }
    }
    assert!(run >= 10, "{run}");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_unknown_command_is_found() {
    let place = place();
    for line in
        ["observer report --colour x", "observer report missing.jsonl", "observre report", "observer watch"]
    {
        assert!(wrong(&commands(line)[0], place.path()).is_some(), "{line}");
    }
}

#[test]
fn every_exception_is_needed() {
    let used: BTreeSet<_> = documents()
        .iter()
        .flat_map(|document| document.blocks("sh"))
        .flat_map(|block| commands(&block))
        .map(|words| words[0].clone())
        .collect();
    let idle: Vec<_> = OTHERS.iter().filter(|(program, _)| !used.contains(*program)).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

/// Words that stand for commands of the observer in the prose: those with an option or a subcommand.
fn told(document: &Document) -> impl Iterator<Item = Vec<&str>> {
    let of_observer = |span: &str| span.trim_start_matches("sudo ").starts_with("observer ");
    document
        .spans()
        .filter(move |span| of_observer(span))
        .map(|span| span.split_whitespace().skip_while(|word| *word != "observer").skip(1).collect())
}

#[test]
fn the_prose_names_subcommands_and_options_that_exist() {
    let mut program = Cli::command();
    program.build();
    let mut unknown = Vec::new();
    for document in documents() {
        for words in told(&document) {
            let mut command = &program;
            let mut words = words.into_iter().peekable();
            while let Some(subcommand) = words.peek().and_then(|word| command.find_subcommand(word)) {
                command = subcommand;
                words.next();
            }
            let is_wrong = |word: &&str| {
                let option =
                    word.trim_start_matches('[').trim_end_matches([']', '…']).split('=').next().unwrap();
                let is_named =
                    |arg: &clap::Arg| arg.get_long().is_some_and(|long| option == format!("--{long}"));
                option.starts_with("--") && !command.get_arguments().any(is_named)
            };
            let is_subcommand = |word: &&str| {
                std::ptr::eq(command, &raw const program)
                    && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    && !word.starts_with('-')
            };
            let mut words = words.peekable();
            let first = words.peek().copied().filter(|word| is_subcommand(word));
            unknown.extend(
                first
                    .into_iter()
                    .chain(words.filter(is_wrong))
                    .map(|word| format!("{}: observer {word}", document.path.display())),
            );
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
