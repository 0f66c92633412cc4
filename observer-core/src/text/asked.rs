//! Who logged in, and what a client waits for, in a few words. All of it was said by the client.

use crate::statement::{Account, Connector, Statement, StatementKind};
use crate::text::clean::clean;

/// Characters of a name that are shown.
const NAME: usize = 48;

/// Who logged in: `as app, schema shop, with pymysql 1.1.1 (program etl, pid 4711)`; `None` where nothing is known. It
/// holds no control characters.
pub fn logged_in(account: &Account) -> Option<String> {
    let user = account.user.as_deref().map(|user| format!("as {}", shortened(user, NAME)));
    let schema = account.database.as_deref().map(|schema| format!("schema {}", shortened(schema, NAME)));
    let connector = account.connector.as_ref().and_then(connector);
    let known: Vec<String> = [user, schema, connector].into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(", "))
}

fn connector(connector: &Connector) -> Option<String> {
    let name = connector.name.as_deref().map(|name| {
        let version = connector.version.as_deref().map(|version| format!(" {}", shortened(version, NAME)));
        format!("with {}{}", shortened(name, NAME), version.unwrap_or_default())
    });
    let program = connector.program.as_deref().map(|program| format!("program {}", shortened(program, NAME)));
    let pid = connector.pid.map(|pid| format!("pid {pid}"));
    let process: Vec<String> = program.into_iter().chain(pid).collect();
    match (name, process.join(", ")) {
        (None, process) if process.is_empty() => None,
        (None, process) => Some(process),
        (Some(name), process) if process.is_empty() => Some(name),
        (Some(name), process) => Some(format!("{name} ({process})")),
    }
}

/// What a client waits for: `"SELECT a FROM t WHERE b = ?"`, with as many characters of the text as there is room for.
/// It holds no control characters.
pub fn waits_for(statement: &Statement, room: usize) -> String {
    let text = statement.text.as_deref().map(|text| {
        let text = shortened(text, room);
        let more = if statement.cut && !text.ends_with('…') { "…" } else { "" };
        format!("\"{text}{more}\"")
    });
    let cursor = if statement.cursor { " by a cursor in the server" } else { "" };
    match (statement.command, text) {
        (StatementKind::Query, Some(text)) => text,
        (StatementKind::Query, None) => "a statement that was not kept".to_owned(),
        (StatementKind::Execute, Some(text)) => format!("{text}, prepared{cursor}"),
        (StatementKind::Execute, None) => format!("a prepared statement that is not known{cursor}"),
        (StatementKind::Fetch, Some(text)) => format!("rows of a cursor in the server: {text}"),
        (StatementKind::Fetch, None) => "rows of a cursor in the server".to_owned(),
        (StatementKind::BinlogDump, _) => "the binary log: it is a replica, or reads like one".to_owned(),
        (StatementKind::Other, _) => "a command that cannot be read".to_owned(),
    }
}

/// A statement as its server told it: `"SELECT a FROM t WHERE b = ?", as the server told`. It holds no control characters.
pub fn told_statement(text: &str, room: usize) -> String {
    format!("\"{}\", as the server told", shortened(text, room))
}

/// On one line, and shortened to this many characters.
fn shortened(text: &str, room: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = clean(&line);
    if line.chars().count() <= room {
        return line.into_owned();
    }
    let mut short: String = line.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn statement(command: StatementKind, text: Option<&str>) -> Statement {
        let text = text.map(str::to_owned);
        let (cut, cursor) = (false, command == StatementKind::Execute);
        Statement { sent_at: Timestamp::EPOCH, command, length: 20, text, cut, cursor, in_result: None }
    }

    #[test]
    fn each_kind_of_command_has_its_words() {
        use StatementKind::{BinlogDump, Execute, Fetch, Other, Query};
        for (command, text, words) in [
            (Query, Some("SELECT a\n\tFROM t"), "\"SELECT a FROM t\""),
            (Query, None, "a statement that was not kept"),
            (Execute, Some("SELECT ?"), "\"SELECT ?\", prepared by a cursor in the server"),
            (Execute, None, "a prepared statement that is not known by a cursor in the server"),
            (Fetch, Some("SELECT ?"), "rows of a cursor in the server: \"SELECT ?\""),
            (Fetch, None, "rows of a cursor in the server"),
            (BinlogDump, None, "the binary log: it is a replica, or reads like one"),
            (Other, None, "a command that cannot be read"),
        ] {
            assert_eq!(waits_for(&statement(command, text), 60), words);
        }
    }

    #[test]
    fn a_long_text_is_shortened_and_one_that_was_cut_says_so() {
        let long = statement(StatementKind::Query, Some("SELECT \u{1b}[2Ja, b FROM t"));
        assert_eq!(waits_for(&long, 12), "\"SELECT \u{fffd}[2J…\"");
        let cut = Statement { cut: true, ..statement(StatementKind::Query, Some("SELECT a, ")) };
        assert_eq!(waits_for(&cut, 60), "\"SELECT a,…\"");
        assert_eq!(waits_for(&cut, 8), "\"SELECT …\"");
    }

    #[test]
    fn what_a_server_told_says_so() {
        assert_eq!(
            told_statement("SELECT `a`\n\u{1b}[2J", 60),
            "\"SELECT `a` \u{fffd}[2J\", as the server told"
        );
        assert_eq!(told_statement("SELECT `a`", 7), "\"SELECT…\", as the server told");
    }

    #[test]
    fn what_is_known_of_an_account_is_said() {
        let text = |text: &str| Some(text.to_owned());
        let connector =
            Connector { name: text("pymysql"), version: text("1.1.1"), program: text("etl"), pid: Some(7) };
        let mut account = Account { user: text("app"), database: text("shop"), connector: Some(connector) };
        assert_eq!(
            logged_in(&account).as_deref(),
            Some("as app, schema shop, with pymysql 1.1.1 (program etl, pid 7)")
        );
        account.database = None;
        account.connector = Some(Connector { pid: Some(7), ..Connector::default() });
        assert_eq!(logged_in(&account).as_deref(), Some("as app, pid 7"));
        assert_eq!(logged_in(&Account::default()), None);
    }
}
