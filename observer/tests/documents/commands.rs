//! Commands: run beside the files that the documents name, those that watch until they are told to end. Without root these
//! are only understood.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::{CommandFactory as _, Parser as _};
use flate2::{Compression, write::GzEncoder};
use nix::sys::signal::Signal;
use observer::cli::Cli;

use crate::privilege::is_root;
use crate::process::Process;
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

/// Commands of the observer that go on until they are told to end, and how each says that it has begun.
const WATCHING: &[(&str, &str)] = &[("live", "watching "), ("record", "recording ")];

/// The network that such a command is run in: nothing but itself, with the address that the documents serve metrics at.
const NETWORK: &str = "ip link set lo up; ip address add 10.2.0.7/32 dev lo; exec \"$@\"";

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
    fs::create_dir_all(place.path().join("etc/observer")).unwrap();
    for (name, text) in [
        ("etc/observer/my.cnf", "[observer]\npassword=secret\n"),
        ("etc/observer/alert-header", "Authorization: Bearer secret\n"),
    ] {
        let name = place.path().join(name);
        fs::write(&name, text).unwrap();
        // They are refused where others may read them.
        fs::set_permissions(name, Permissions::from_mode(0o600)).unwrap();
    }
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
    // What is followed has to be written meanwhile: tests/replay.rs and tests/record.rs do that.
    if args.iter().any(|arg| arg == "--follow") {
        return None;
    }
    // Directories of the system are those of the place.
    let args: Vec<_> = args.iter().map(|arg| arg.strip_prefix('/').unwrap_or(arg)).collect();
    if let Some((_, begun)) = WATCHING.iter().find(|(name, _)| *name == subcommand) {
        return is_root("every_command_runs_or_is_understood", "a network namespace")
            .then(|| watches(&args, begun, place))?;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    let output = command.args(args).current_dir(place).stdin(Stdio::null()).output().unwrap();
    // The doctor tells by status 1 that something is missing.
    let is_good = output.status.success() || subcommand == "doctor" && output.status.code() == Some(1);
    (!is_good || output.stdout.is_empty()).then(|| told_of(&output))
}

/// Runs a command until it says that it has `begun`, and ends it. What was wrong with that.
fn watches(args: &[&str], begun: &str, place: &Path) -> Option<String> {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-ec", NETWORK, "sh", env!("CARGO_BIN_EXE_observer")]).args(args);
    command.current_dir(place).env("OBSERVER_DIRECTORY", place.join("var/log/recorded"));
    let mut observer = Process::spawn("observer", &mut command).unwrap();
    let has_begun = observer.wait_stderr("its beginning", |line| line.contains(begun).then_some(()));
    if let Err(error) = has_begun {
        return Some(format!("{error:#}"));
    }
    observer.signal(Signal::SIGTERM).unwrap();
    let status = observer.wait().unwrap();
    (!status.success()).then(|| format!("{status}: {:#?}", observer.stderr.all()))
}

fn told_of(output: &Output) -> String {
    format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))
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
