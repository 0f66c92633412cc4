//! The words and signs of a statement, without its comments.
//!
//! The text comes from the network and may be cut off anywhere.
//! <https://dev.mysql.com/doc/refman/en/language-structure.html>

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word, or a name in backticks.
    Word(&'a str),
    /// A number without a sign; the largest there is where it does not fit.
    Integer(u64),
    /// `:=`
    Assign,
    /// Any other sign by itself.
    Sign(char),
    /// A string, or a number that is not whole: no statement of interest has one where it matters.
    Literal,
}

/// Cuts a statement into tokens.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The version of the server by which it executes what stands in `/*!NNNNN */`.
    version: Option<Version>,
}

/// A server's version as comments compare with it: 8.0.40 is 80040.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    number: u32,
    mariadb: bool,
}

impl Version {
    /// From the version as a server names itself.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mariadb = name.contains("MariaDB");
        // For the sake of replication to old servers, MariaDB hides behind this version.
        let name = name.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(name);
        let mut parts = name.split(|character: char| !character.is_ascii_digit());
        let mut part = || parts.next()?.parse::<u32>().ok().filter(|part| *part < 100);
        let number = part()? * 10_000 + part()? * 100 + part()?;
        Some(Self { number, mariadb })
    }

    /// Whether what a comment reserves for servers from `since` on is executed.
    ///
    /// MariaDB passes over what is meant for MySQL from 5.7 on.
    /// <https://mariadb.com/kb/en/comment-syntax/>
    fn executes(self, since: u32) -> bool {
        since <= self.number && !(self.mariadb && (50_700..=99_999).contains(&since))
    }
}

impl<'a> Tokens<'a> {
    /// The tokens of `text`.
    pub(super) fn new(text: &'a str, version: Option<Version>) -> Self {
        Self { rest: text, version }
    }

    /// Goes on behind `length` bytes, which end with a character.
    fn skip(&mut self, length: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        skipped
    }

    /// Goes on behind the next `end`.
    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, behind)| behind);
    }

    /// Goes on behind spaces and comments. The end of a comment whose content is executed is nothing by itself.
    fn skip_blank(&mut self) {
        loop {
            let rest =
                self.rest.trim_start_matches(|next: char| next.is_ascii_whitespace() || next.is_control());
            self.rest = rest;
            if let Some(content) = rest.strip_prefix("/*!") {
                self.executable(content);
            } else if let Some(content) = rest.strip_prefix("/*M!") {
                if self.version.is_some_and(|version| !version.mariadb) {
                    self.skip_past("*/");
                } else {
                    self.executable(content);
                }
            } else if rest.starts_with("/*") {
                self.skip(2);
                self.skip_past("*/");
            } else if rest.starts_with("*/") {
                self.skip(2);
            } else if rest.starts_with('#') || is_dashes(rest) {
                self.skip_past("\n");
            } else {
                return;
            }
        }
    }

    /// Goes on with the content of a comment that is executed, or behind it where it is meant for another server.
    fn executable(&mut self, content: &'a str) {
        let digits = content.bytes().take(6).take_while(u8::is_ascii_digit).count();
        let since = if digits >= 5 { content[..digits].parse().unwrap_or(0) } else { 0 };
        self.rest = if digits >= 5 { &content[digits..] } else { content };
        if self.version.is_some_and(|version| !version.executes(since)) {
            self.skip_past("*/");
        }
    }

    fn quoted(&mut self, quote: char) -> &'a str {
        self.skip(1);
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == '\\' && quote != '`' {
                characters.next();
            } else if character == quote {
                let content = self.skip(at);
                self.skip(1);
                return content;
            }
        }
        self.skip(usize::MAX)
    }

    fn number(&mut self) -> Token<'a> {
        let text = self.skip(length(self.rest, |next| is_word(next) || next == '.'));
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            Token::Integer(text.parse().unwrap_or(u64::MAX))
        } else {
            Token::Literal
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let first = self.rest.chars().next()?;
        Some(match first {
            '0'..='9' => self.number(),
            '`' => Token::Word(self.quoted(first)),
            '\'' | '"' => {
                self.quoted(first);
                Token::Literal
            }
            _ if is_word(first) => Token::Word(self.skip(length(self.rest, is_word))),
            ':' if self.rest.starts_with(":=") => {
                self.skip(2);
                Token::Assign
            }
            _ => {
                self.skip(first.len_utf8());
                Token::Sign(first)
            }
        })
    }
}

/// Bytes at the beginning of `text` whose characters are all so.
fn length(text: &str, is_so: impl Fn(char) -> bool) -> usize {
    text.find(|next| !is_so(next)).unwrap_or(text.len())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

/// A comment begins with two dashes and a space; without it they are signs.
fn is_dashes(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokens::new(text, None).collect()
    }

    fn words(text: &str, version: &str) -> String {
        let words: Vec<_> = Tokens::new(text, Version::parse(version))
            .filter_map(|token| if let Token::Word(word) = token { Some(word) } else { None })
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_statement_falls_into_words_numbers_and_signs() {
        use Token::{Assign, Integer, Literal, Sign, Word};
        assert_eq!(
            tokens("SET @@`a b`:=12,x=-1.5e3, y='it\\'s' ,z=0x10;"),
            [
                Word("SET"),
                Sign('@'),
                Sign('@'),
                Word("a b"),
                Assign,
                Integer(12),
                Sign(','),
                Word("x"),
                Sign('='),
                Sign('-'),
                Literal,
                Sign(','),
                Word("y"),
                Sign('='),
                Literal,
                Sign(','),
                Word("z"),
                Sign('='),
                Literal,
                Sign(';'),
            ]
        );
        assert_eq!(tokens("99999999999999999999"), [Integer(u64::MAX)]);
    }

    #[test]
    fn comments_are_no_tokens() {
        for text in
            ["/* a */b", "-- a\nb", "--\nb", "#a\nb", "/*! b */", "/*!40101 b*/", "b -- a", "b /* a", "b#a"]
        {
            assert_eq!(words(text, ""), "b", "{text}");
        }
        assert_eq!(tokens("1--1").len(), 4, "two signs");
    }

    #[test]
    fn comments_for_other_servers_are_passed_over() {
        let text = "/*!40101 a */ /*!080400 b */ /*!100000 c */ /*M!100600 d */ e";
        assert_eq!(words(text, "8.0.40"), "a e");
        assert_eq!(words(text, "9.7.4-2"), "a b e");
        assert_eq!(words(text, "5.5.5-10.11.19-MariaDB-1"), "a c d e");
        assert_eq!(words(text, "of no server"), "a b c d e");
    }

    #[test]
    fn what_is_cut_off_ends() {
        for text in ["`ab", "'a", "\"a\\", "/*!", "/*!4010", "/*", "--", ":", "\u{3}"] {
            assert!(tokens(text).len() <= 1, "{text}");
        }
    }
}
