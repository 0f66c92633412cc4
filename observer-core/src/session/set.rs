//! What a statement sets of the timeouts of its own session.
//!
//! The forms of SET: <https://dev.mysql.com/doc/refman/en/set-variable.html>; `SET STATEMENT`:
//! <https://mariadb.com/kb/en/set-statement/>.

use std::iter::Peekable;

use super::tokens::{Token, Tokens, Version};

/// The value of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Value {
    /// That of the server's global variable.
    #[default]
    Global,
    /// So many seconds.
    Seconds(u32),
    /// It was set to something that is computed, and cannot be read.
    Unreadable,
    /// The session may have set it by something that was not told.
    Untold,
}

/// The most a session can wait: the servers cut off what is beyond (`LONG_TIMEOUT`, sql/sys_vars.cc). From 2,147,484 s
/// on MySQL waits without end (`vio_timeout`, vio/vio.cc); a countdown of weeks serves as well.
const MOST: u32 = 31_536_000;

impl Value {
    /// What the servers make of a number: at least 1, and not more than the most.
    fn limited(seconds: u64) -> Self {
        Self::Seconds(u32::try_from(seconds).unwrap_or(MOST).clamp(1, MOST))
    }
}

/// What the statements of one command set; `None` where they leave a thing as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// net_write_timeout.
    pub(super) write: Option<Value>,
    /// wait_timeout.
    pub(super) wait: Option<Value>,
    /// net_write_timeout for this one command.
    pub(super) statement: Option<Value>,
}

impl Changes {
    /// Reads statements, separated by semicolons.
    pub(super) fn read(text: &str, version: Option<Version>) -> Self {
        let mut reader = Reader { tokens: Tokens::new(text, version).peekable(), changes: Self::default() };
        while reader.tokens.peek().is_some() {
            reader.statement();
            reader.skip_until(|token| token == Token::Sign(';'));
            reader.tokens.next();
        }
        reader.changes
    }
}

/// Whose variable is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// This session's.
    Session,
    /// That of later sessions.
    Global,
}

impl Scope {
    fn parse(word: &str) -> Option<Self> {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("session") || is("local") {
            Some(Self::Session)
        } else if is("global") || is("persist") || is("persist_only") {
            Some(Self::Global)
        } else {
            None
        }
    }
}

struct Reader<'a> {
    tokens: Peekable<Tokens<'a>>,
    changes: Changes,
}

impl<'a> Reader<'a> {
    fn statement(&mut self) {
        if !self.take_word("set") {
            return;
        }
        let only_this_one = self.take_word("statement");
        // A keyword holds for all that follows it without one; `@@global.` holds for itself alone.
        let mut scope = Scope::Session;
        loop {
            self.assignment(&mut scope, only_this_one);
            // What stands behind FOR is undone with the statement.
            self.skip_until(|token| matches!(token, Token::Sign(',' | ';')));
            if self.tokens.next_if_eq(&Token::Sign(',')).is_none() {
                return;
            }
        }
    }

    /// One assignment, as far as it is one to a variable of interest.
    fn assignment(&mut self, scope: &mut Scope, only_this_one: bool) {
        if let Some(Token::Word(word)) = self.tokens.peek().copied()
            && let Some(keyword) = Scope::parse(word)
        {
            self.tokens.next();
            *scope = keyword;
        }
        let Some((name, scope)) = self.variable(*scope) else { return };
        if self.tokens.next_if(|token| matches!(token, Token::Assign | Token::Sign('='))).is_none()
            || scope == Scope::Global
        {
            return;
        }
        let is = |variable: &str| name.eq_ignore_ascii_case(variable);
        if is("net_write_timeout") {
            let value = Some(self.value());
            if only_this_one {
                self.changes.statement = value;
            } else {
                self.changes.write = value;
            }
        } else if is("wait_timeout") && !only_this_one {
            self.changes.wait = Some(self.value());
        }
    }

    /// A system variable's name: `x`, `@@x`, `@@session.x`. A user's variable has one `@`.
    fn variable(&mut self, scope: Scope) -> Option<(&'a str, Scope)> {
        if self.tokens.next_if_eq(&Token::Sign('@')).is_none() {
            return Some((self.word()?, scope));
        }
        self.tokens.next_if_eq(&Token::Sign('@'))?;
        let first = self.word()?;
        match Scope::parse(first) {
            Some(scope) if self.tokens.next_if_eq(&Token::Sign('.')).is_some() => Some((self.word()?, scope)),
            _ => Some((first, Scope::Session)),
        }
    }

    /// The value up to the next assignment.
    fn value(&mut self) -> Value {
        let negative = match self.tokens.peek() {
            Some(Token::Sign('-')) => true,
            Some(Token::Sign('+')) => false,
            _ => return self.unsigned(),
        };
        self.tokens.next();
        match self.unsigned() {
            Value::Seconds(_) if negative => Value::limited(0),
            Value::Global => Value::Unreadable,
            value => value,
        }
    }

    fn unsigned(&mut self) -> Value {
        let value = match self.tokens.peek() {
            Some(Token::Integer(seconds)) => Value::limited(*seconds),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("default") => Value::Global,
            _ => return Value::Unreadable,
        };
        self.tokens.next();
        match self.tokens.peek() {
            None | Some(Token::Sign(',' | ';')) => value,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("for") => value,
            _ => Value::Unreadable,
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        match self.tokens.next()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_it = |token: &Token<'_>| matches!(token, Token::Word(next) if next.eq_ignore_ascii_case(word));
        self.tokens.next_if(is_it).is_some()
    }

    /// Goes on to the first such token outside of parentheses.
    fn skip_until(&mut self, is_end: impl Fn(Token<'a>) -> bool) {
        let mut depth = 0_u32;
        while let Some(&token) = self.tokens.peek() {
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth = depth.saturating_sub(1),
                _ if depth == 0 && is_end(token) => return,
                _ => {}
            }
            self.tokens.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Changes {
        Changes::read(text, None)
    }

    fn write(value: Value) -> Changes {
        Changes { write: Some(value), ..Changes::default() }
    }

    /// Each was tried on MySQL 9.7.4 and MariaDB 10.11.19.
    #[test]
    fn a_session_sets_its_own_timeout_in_many_ways() {
        for text in [
            "SET net_write_timeout=9",
            "set session NET_WRITE_TIMEOUT = 9;",
            "SET LOCAL net_write_timeout:=+9",
            "SET @@net_write_timeout=9",
            "SET @@session.net_write_timeout=9",
            "SET @@local . `net_write_timeout` = 9",
            "SET @a=1, net_write_timeout=9",
            "SET @a=CONCAT(1, 2), net_write_timeout=9",
            "SET NAMES utf8mb4, net_write_timeout=9",
            "SET CHARACTER SET utf8mb4, SESSION net_write_timeout=9",
            "SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 9",
            "SET GLOBAL net_write_timeout=7, @@net_write_timeout=9",
            "SET @@GLOBAL.max_connections=7, net_write_timeout=9",
            "/* app */ SET /*!40101 SESSION */ net_write_timeout=9 -- done",
            "SELECT 'SET net_write_timeout=7'; SET net_write_timeout=9; SELECT 1",
            "SET net_write_timeout=7; SET net_write_timeout=9",
            "\0\u{1}SET net_write_timeout=9",
        ] {
            assert_eq!(changes(text), write(Value::Seconds(9)), "{text}");
        }
    }

    #[test]
    fn what_is_set_for_others_or_not_set_is_no_change() {
        for text in [
            "SET GLOBAL net_write_timeout=9",
            "SET PERSIST net_write_timeout=9",
            "SET PERSIST_ONLY net_write_timeout=9",
            "SET @@global.net_write_timeout=9",
            "SET GLOBAL max_connections=7, net_write_timeout=9",
            "SET GLOBAL max_connections=7, @@session.sql_log_bin=0, net_write_timeout=9",
            "SET SESSION sql_log_bin=0, GLOBAL max_connections=7, net_write_timeout=9",
            "SET @net_write_timeout=9",
            "SET @a='SET net_write_timeout=9'",
            "SELECT @@net_write_timeout",
            "SHOW VARIABLES LIKE 'net_write_timeout'",
            "SET net_write_timeout",
            "-- SET net_write_timeout=9",
            "SET net_read_timeout=9",
            "",
        ] {
            assert_eq!(changes(text), Changes::default(), "{text}");
        }
    }

    #[test]
    fn values_are_limited_as_the_servers_do() {
        for (value, seconds) in
            [("0", 1), ("-5", 1), ("31536001", MOST), ("99999999999999999999", MOST), ("60", 60)]
        {
            assert_eq!(
                changes(&format!("SET net_write_timeout={value}")),
                write(Value::Seconds(seconds)),
                "{value}"
            );
        }
    }

    #[test]
    fn values_that_are_computed_cannot_be_read() {
        for value in [
            "@old",
            "5*60",
            "60 + 1",
            "'60'",
            "6e1",
            "0x10",
            "(SELECT 1, 2)",
            "-DEFAULT",
            "",
            "@@wait_timeout",
        ] {
            let text = format!("SET net_write_timeout={value}, wait_timeout=DEFAULT");
            let expected = Changes { wait: Some(Value::Global), ..write(Value::Unreadable) };
            assert_eq!(changes(&text), expected, "{value}");
        }
    }

    #[test]
    fn a_statement_may_have_a_timeout_of_its_own() {
        let statement = Changes { statement: Some(Value::Seconds(4)), ..Changes::default() };
        for text in [
            "SET STATEMENT net_write_timeout=4 FOR SELECT 1, 2",
            "set statement max_statement_time=1, net_write_timeout = 4 for SELECT 1",
            "SET STATEMENT net_write_timeout=4 FOR SET SESSION net_write_timeout=3",
        ] {
            assert_eq!(changes(text), statement, "{text}");
        }
    }

    #[test]
    fn several_variables_of_one_statement() {
        let both = Changes { wait: Some(Value::Seconds(8)), ..write(Value::Seconds(9)) };
        assert_eq!(changes("SET net_write_timeout=9, wait_timeout=8, interactive_timeout=7"), both);
    }
}
