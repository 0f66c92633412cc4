//! Statements without their literals: those are customers' data and passwords.
//!
//! Where a literal ends depends on what cannot be seen: on `sql_mode`, on the character set, on whether the server
//! executes what stands in `/*! */`. Where that matters, everything from there on is hidden. A literal that is cut off is
//! hidden too. <https://dev.mysql.com/doc/refman/en/string-literals.html>

/// What stands for a literal.
const HIDDEN: &str = "?";

/// The statement with every literal replaced by `?`, a list of them by `?, …`, without comments, on one line. `cut` is
/// whether it goes on.
pub fn without_literals(text: &[u8], cut: bool) -> String {
    // A whole statement that is not closed by one reading was written by the other.
    let readings = [Backslash::Escapes, Backslash::IsACharacter].map(|reading| Hiding::of(text, reading));
    match readings {
        [escapes, plain] if escapes.told == plain.told && escapes.is_closed == plain.is_closed => {
            escapes.told
        }
        [escapes, plain] if !cut && escapes.is_closed && !plain.is_closed => escapes.told,
        [escapes, plain] if !cut && plain.is_closed && !escapes.is_closed => plain.told,
        _ => Hiding::of(text, Backslash::Unknown).told,
    }
}

/// What a backslash in a string does: that is `NO_BACKSLASH_ESCAPES` in `sql_mode`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Escapes,
    IsACharacter,
    /// A string with one before a quote has no end.
    Unknown,
}

/// A statement that is being read, and what is told of it.
struct Hiding<'a> {
    rest: &'a [u8],
    backslash: Backslash,
    told: String,
    /// Whether everything that was opened was closed.
    is_closed: bool,
}

impl<'a> Hiding<'a> {
    fn of(text: &'a [u8], backslash: Backslash) -> Self {
        let mut hiding = Self { rest: text, backslash, told: String::new(), is_closed: true };
        while let Some(&first) = hiding.rest.first() {
            hiding.token(first);
        }
        hiding.told.truncate(hiding.told.trim_end().len());
        hiding
    }

    fn token(&mut self, first: u8) {
        match self.rest {
            [b'\'' | b'"', ..] => self.literal(string(self.rest, self.backslash)),
            [b'`', ..] => {
                let length = string(self.rest, Backslash::IsACharacter);
                self.tell_or_hide(length);
            }
            [b'0'..=b'9', ..] => self.literal(Some(word(self.rest))),
            // The prefixes of hexadecimal, bit and national strings belong to them.
            [b'x' | b'X' | b'b' | b'B' | b'n' | b'N', b'\'', ..] => self.rest = &self.rest[1..],
            [b'$', ..] => self.dollar(),
            [b'/', b'*', b'!', ..] => self.executable(3),
            [b'/', b'*', b'M', b'!', ..] => self.executable(4),
            [b'/', b'*', ..] => self.comment(2, b"*/"),
            [b'#', ..] => self.comment(1, b"\n"),
            [b'-', b'-'] | [b'-', b'-', b'\0'..=b' ' | 0x7f, ..] => self.comment(2, b"\n"),
            [b'\0'..=b' ', ..] => self.space(),
            _ if is_word(first) => self.tell(word(self.rest)),
            _ => self.tell(1),
        }
    }

    /// Goes on behind `length` bytes.
    fn skip(&mut self, length: usize) -> &'a [u8] {
        let (skipped, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        skipped
    }

    fn tell(&mut self, length: usize) {
        let told = self.skip(length);
        self.told.push_str(&String::from_utf8_lossy(told));
    }

    fn tell_or_hide(&mut self, length: Option<usize>) {
        match length {
            Some(length) => self.tell(length),
            None => self.hide_the_rest(),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
        // What is no space for that: other control characters.
        while let [b'\0'..=b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if !self.told.is_empty() && !self.told.ends_with(' ') {
            self.told.push(' ');
        }
    }

    fn literal(&mut self, length: Option<usize>) {
        if let Some(length) = length {
            self.skip(length);
            self.hidden();
        } else {
            self.hide_the_rest();
        }
    }

    /// Tells that there is a literal; of a list of them, that there is more than one.
    fn hidden(&mut self) {
        let before = self.told.trim_end();
        let Some(list) = before.strip_suffix(',').map(str::trim_end) else {
            self.told.push_str(HIDDEN);
            return;
        };
        if list.ends_with("?, …") {
            self.told.truncate(list.len());
        } else if list.ends_with(HIDDEN) {
            self.told.truncate(list.len());
            self.told.push_str(", …");
        } else {
            self.told.push_str(HIDDEN);
        }
    }

    fn hide_the_rest(&mut self) {
        self.rest = &[];
        self.is_closed = false;
        self.hidden();
    }

    /// `$$ … $$` or `$tag$ … $tag$` of a stored program; anything else is a name.
    fn dollar(&mut self) {
        let name = 1 + word(&self.rest[1..]);
        let tag = self.rest[1..].iter().position(|&byte| byte == b'$').map(|at| &self.rest[..at + 2]);
        match tag.filter(|tag| tag.len() <= name + 1) {
            Some(tag) => self.literal(after(self.rest, tag.len(), tag)),
            None => self.tell(name),
        }
    }

    fn comment(&mut self, start: usize, end: &[u8]) {
        let length = after(self.rest, start, end);
        // One to the end of the line ends with the text too.
        self.is_closed &= length.is_some() || end == b"\n";
        self.skip(length.unwrap_or(usize::MAX));
        self.space();
    }

    /// What is executed by some servers: read like the rest where that makes no difference for what follows.
    fn executable(&mut self, start: usize) {
        let length = after(self.rest, start, b"*/").unwrap_or(self.rest.len());
        let content = &self.rest[start.min(length)..length];
        if content.iter().any(|byte| b"'\"`#$".contains(byte))
            || [&b"/*"[..], b"--"].iter().any(|opening| content.windows(2).any(|two| two == *opening))
        {
            self.hide_the_rest();
            return;
        }
        // For which version it is meant is no literal.
        let version = content.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        self.tell(start + version);
    }
}

/// Length of what is quoted at the beginning of `text`; `None` where its end is not there, or cannot be told.
fn string(text: &[u8], backslash: Backslash) -> Option<usize> {
    let quote = *text.first()?;
    let mut at = 1;
    loop {
        let byte = *text.get(at)?;
        let next = text.get(at + 1).copied();
        match byte {
            b'\\' if quote != b'`' => {
                // The second half of a character, in some character sets; and "ANSI_QUOTES" makes names of strings.
                let unsure = text[at - 1] >= 0x80 || (quote == b'"' && next == Some(quote));
                if unsure || (backslash == Backslash::Unknown && next == Some(quote)) {
                    return None;
                }
                at += if backslash == Backslash::IsACharacter { 1 } else { 2 };
            }
            _ if byte != quote => at += 1,
            _ if next == Some(quote) => at += 2,
            // In some character sets a backtick is the second half of a character.
            b'`' if std::str::from_utf8(&text[..at]).is_err() => return None,
            _ => return Some(at + 1),
        }
    }
}

/// Length of the word or number at the beginning of `text`.
fn word(text: &[u8]) -> usize {
    let number = text.first().is_some_and(u8::is_ascii_digit);
    let in_word = |byte: &u8| is_word(*byte) || (number && *byte == b'.');
    text.iter().position(|byte| !in_word(byte)).unwrap_or(text.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// Length of `text` up to and with the first `end` from `start` on.
fn after(text: &[u8], start: usize, end: &[u8]) -> Option<usize> {
    let found = text.get(start..)?.windows(end.len()).position(|window| window == end);
    found.map(|at| start + at + end.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_are_hidden_and_the_rest_is_told() {
        for (text, told) in [
            ("SELECT a1, `b 2` FROM t1 WHERE c = 'x'", "SELECT a1, `b 2` FROM t1 WHERE c = ?"),
            ("SELECT 1, -2.5e3, .5, 0x4d, x'4D', b'01', N'n', _utf8mb4'u'", "SELECT ?, -?, .?, …, _utf8mb4?"),
            (
                "SELECT * FROM t WHERE id IN (1, 2,3 , 'x') LIMIT 10",
                "SELECT * FROM t WHERE id IN (?, …) LIMIT ?",
            ),
            ("INSERT INTO t VALUES (1,'a'),(2,'b')", "INSERT INTO t VALUES (?, …),(?, …)"),
            ("SELECT a -- 'secret\nFROM t # 2\n", "SELECT a FROM t"),
            ("SELECT /* user 42 */ a\r\n\tFROM/**/t", "SELECT a FROM t"),
            ("SELECT a--1, a - -1", "SELECT a--?, a - -?"),
            ("SELECT a --\u{7f}don't\n, 'x'", "SELECT a , ?"),
            ("SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`", "SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`"),
            ("SELECT /*+ MAX_EXECUTION_TIME(1000) */ a", "SELECT a"),
            ("SELECT \"a\"\"b\", 'it''s'", "SELECT ?, …"),
            ("SELECT @a, @@b, $c, NULL, true", "SELECT @a, @@b, $c, NULL, true"),
            ("SELECT größe FROM t", "SELECT größe FROM t"),
            ("CREATE FUNCTION f() AS $js$ 'secret' $js$ ;", "CREATE FUNCTION f() AS ? ;"),
            ("", ""),
        ] {
            assert_eq!(without_literals(text.as_bytes(), false), told, "{text}");
        }
    }

    #[test]
    fn a_backslash_is_read_as_the_whole_statement_allows() {
        for (text, told) in [
            (r"SELECT 'it\'s' FROM t", "SELECT ? FROM t"),
            (r"SELECT 'C:\' FROM t", "SELECT ? FROM t"),
            (r"SELECT 'a\', 'secret' FROM t WHERE b = '\'", "SELECT ?, … FROM t WHERE b = ?"),
            (r"SELECT 'a\\' FROM t", "SELECT ? FROM t"),
            // Both readings are closed: one literal or two.
            (r"SELECT 'it\'s Ann\'s' FROM t", "SELECT ?"),
            ("SELECT '\u{e9}\\' OR 'x' FROM t", "SELECT ?"),
            (r#"SELECT "a\" , "secret" FROM t"#, "SELECT ?"),
        ] {
            assert_eq!(without_literals(text.as_bytes(), false), told, "{text}");
        }
        // Of one that is cut off it is not known.
        assert_eq!(without_literals(br"SELECT 'it\'s', secret", true), "SELECT ?");
    }

    #[test]
    fn what_may_be_no_comment_for_another_server_hides_what_follows() {
        for text in
            ["SELECT /*!99999 don't */ 'secret'", "SELECT /*! a /* b */ 'secret' */", "SELECT /*M!5 # */ 1"]
        {
            assert_eq!(without_literals(text.as_bytes(), false), "SELECT ?");
        }
    }

    #[test]
    fn a_statement_that_is_cut_off_anywhere_never_tells_a_literal() {
        let text = br#"/*c secret*/SELECT a, x'5ec1e7', 'se''cret', "secret", 5331, 0x5331, $$secret$$ FROM t WHERE b='\'secret'"#;
        for cut in 0..=text.len() {
            let told = without_literals(&text[..cut], true);
            assert!(
                !["se", "5ec", "53", "cret"].iter().any(|secret| told.replace("SELECT", "").contains(secret)),
                "{told}"
            );
        }
    }

    /// Ways to write a literal.
    fn literal() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("'zqzq'".to_owned()),
            Just("'a''zqzq'".to_owned()),
            Just(r"'\'zqzq\\'".to_owned()),
            Just(r"'\\zqzq'".to_owned()),
            Just("\"'zqzq'\"".to_owned()),
            Just("N'zqzq'".to_owned()),
            Just("5zqzq".to_owned()),
            Just("/* ' zqzq */ 1".to_owned()),
            Just("-- \" zqzq\n1".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn no_literal_is_told_wherever_it_stands_and_wherever_it_is_cut(
            literals in proptest::collection::vec(literal(), 1..6),
            between in "[a-y =,()`]{0,6}",
            cut in 0_usize..200,
        ) {
            prop_assume!(between.matches('`').count() % 2 == 0);
            let text = format!("SELECT a {between} {}", literals.join(&format!(" , {between} ")));
            prop_assert!(!without_literals(text.as_bytes(), false).contains("zq"), "{text}");
            let cut = &text.as_bytes()[..cut.min(text.len())];
            prop_assert!(!without_literals(cut, true).contains("zq"), "{text}");
        }

        #[test]
        fn whatever_comes_is_taken(text in proptest::collection::vec(any::<u8>(), 0..100), cut in any::<bool>()) {
            without_literals(&text, cut);
        }
    }
}
