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
    let sessions = sessions_of("asker", &log);
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

/// The statements of each session of `user`, by its thread. A line is a time, which MariaDB leaves out where it is that of the
/// line before, a thread's id, a command and its argument; others go on with the argument.
fn sessions_of(user: &str, log: &str) -> HashMap<u32, Vec<String>> {
    let mut sessions: HashMap<u32, Vec<String>> = HashMap::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let Some((thread, command)) = thread_and_command(&mut words) else { continue };
        let argument = words.collect::<Vec<_>>().join(" ");
        match command {
            "Connect" if argument.starts_with(&format!("{user}@")) => {
                sessions.insert(thread, Vec::new());
            }
            "Query" | "Prepare" | "Execute" => {
                if let Some(statements) = sessions.get_mut(&thread) {
                    statements.push(argument);
                }
            }
            _ => {}
        }
    }
    sessions
}

fn thread_and_command<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(u32, &'a str)> {
    let commands = ["Connect", "Query", "Prepare", "Execute", "Quit"];
    let mut before = words.next()?;
    // Three at most stand before the command: MariaDB's date, its time, and the thread.
    for word in words.take(3) {
        if commands.contains(&word) {
            return Some((before.parse().ok()?, word));
        }
        before = word;
    }
    None
}
