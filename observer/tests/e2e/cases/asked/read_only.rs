//! What the observer says to a server that it asks, by the server's own general log: nothing that could change anything.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::FindingKind;

use super::account::{Account, url};
use super::{is_lost, told};
use crate::cases::TIMEOUT;
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// Commands that ask for nothing and change nothing.
const HARMLESS: [&str; 2] = ["Connect", "Quit"];

/// What makes a session read-only, by the server's own will.
const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    read_only(setup, Dialect::MySql)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    read_only(setup, Dialect::MariaDb)
}

fn read_only(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let options = [
        "--performance-schema=ON",
        "--general-log=ON",
        "--log-output=FILE",
        "--general-log-file=general.log",
    ];
    let server = Server::start_with(setup, dialect, lab.server(), lab.port, TIMEOUT, &options)?;
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), story_query(dialect))?;
    let client = reader.address;
    let account = Account::new()?;
    let observer = account.observe(&lab, &[&url("asker", lab.address())])?;
    observer.wait_log("the session", |log| !told(log, client).is_empty())?;
    reader.query_and_pause()?;
    // By then all has been asked that ever is.
    observer.wait_finding("the loss", client, |kind| {
        is_lost(kind) || matches!(kind, FindingKind::ServerClosed { .. })
    })?;
    observer.stop()?;

    let log = server.file("general.log")?;
    let sessions = sessions_of("asker", &log)?;
    ensure!(!sessions.is_empty(), "nobody has asked: {log}");
    for statements in sessions.values() {
        let first =
            statements.iter().position(|statement| statement.contains("FROM")).context("a question")?;
        let set = statements.iter().position(|statement| statement == READ_ONLY);
        let before = &statements[..=first];
        ensure!(set.is_some_and(|set| set < first), "it asks before it is read-only: {before:#?}");
        let reads = |statement: &String| {
            ["SELECT ", "SHOW ", "SET SESSION "].iter().any(|verb| statement.starts_with(verb))
        };
        let other = statements.iter().find(|statement| !reads(statement));
        ensure!(other.is_none(), "{other:?} is no reading");
    }
    Ok(())
}

/// The statements of each session of `user`, by its thread; there must be no other commands but harmless ones.
fn sessions_of(user: &str, log: &str) -> anyhow::Result<HashMap<u32, Vec<String>>> {
    let mut sessions: HashMap<u32, Vec<String>> = HashMap::new();
    for line in log.lines() {
        let Some((thread, command, argument)) = command_of(line) else { continue };
        if command == "Connect" && argument.starts_with(&format!("{user}@")) {
            sessions.insert(thread, Vec::new());
        }
        let Some(statements) = sessions.get_mut(&thread) else { continue };
        if ["Query", "Prepare", "Execute"].contains(&command) {
            statements.push(argument.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            ensure!(HARMLESS.contains(&command), "{line:?}: a command of other kind");
        }
    }
    Ok(sessions)
}

/// A thread's id, a command of one word or two, and its argument. Tabs part them from the time, which MariaDB leaves out where it
/// is that of the line before, and from each other; other lines go on with an argument.
fn command_of(line: &str) -> Option<(u32, &str, &str)> {
    let mut rest = line;
    loop {
        let (field, after) = rest.split_once('\t')?;
        let words = field.trim_start().split_once(' ');
        // A time is of numbers alone.
        let words = words.filter(|(_, command)| command.starts_with(|first: char| first.is_alphabetic()));
        if let Some((Ok(thread), command)) = words.map(|(thread, command)| (thread.parse(), command)) {
            return Some((thread, command, after));
        }
        rest = after;
    }
}
