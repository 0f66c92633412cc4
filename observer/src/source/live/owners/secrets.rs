//! Command lines without what may be a secret. Too much is taken away rather than too little.

use std::borrow::Cow;

use crate::mysql::without_literals;
use crate::text::without_paths;

/// What stands for a secret.
const MASK: &str = "***";

/// What the name of a secret has in it, in small letters.
const NAMES: [&str; 10] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "credential",
    "api-key",
    "api_key",
    "apikey",
    "access_key",
    "authorization",
];

/// What a statement says before a password: `IDENTIFIED BY 'x'`.
const IN_STATEMENTS: &str = "identified";

/// Short options of the clients of MySQL and MariaDB that take no value, so that others can stand behind them in one
/// word: `-Bpsecret` (client/mysql.cc).
const FLAGS: &str = "?ABCEGHILNTUVWXbcfginoqrstvwxj";

/// Of whose programs a bare `-p` is not followed by the password: it is asked for, and what follows is a database.
const ASKING: [&str; 2] = ["mysql", "mariadb"];

/// The arguments as one line, with [`MASK`] in the place of passwords, tokens and the like.
pub(super) fn masked<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    let mut program = "";
    let mut follows = false;
    for (position, argument) in arguments.enumerate() {
        if position == 0 {
            program = argument.rsplit('/').next().unwrap_or_default();
        } else {
            line.push(' ');
        }
        // An option is none that belongs to the one before it.
        if std::mem::take(&mut follows) && !argument.starts_with('-') {
            line.push_str(MASK);
            continue;
        }
        // In one word they may be a password or the name of one: `-pass`.
        follows = if argument == "-p" {
            !ASKING.iter().any(|asking| program.starts_with(asking))
        } else {
            argument.starts_with('-') && is_name(argument)
        };
        let (from, to) = secret(argument).unwrap_or((argument.len(), argument.len()));
        line.push_str(&clear(&argument[..from], from < argument.len()));
        if from < to {
            line.push_str(MASK);
        }
        line.push_str(&argument[to..]);
    }
    without_paths(&line).into_owned()
}

/// A statement, or a script that may hold one, without its literals, as statements are told everywhere; `cut` where its
/// end is missing. Other arguments are as they are.
fn clear(argument: &str, cut: bool) -> Cow<'_, str> {
    if argument.contains(char::is_whitespace) {
        Cow::Owned(without_literals(argument.as_bytes(), cut))
    } else {
        Cow::Borrowed(argument)
    }
}

/// From where to where there is a secret in an argument.
fn secret(argument: &str) -> Option<(usize, usize)> {
    // A script or a statement, or a program that has written its whole command line into one argument: what comes first
    // in it takes the rest away.
    let words = argument.split_ascii_whitespace();
    let short = words.filter_map(|word| Some(offset(argument, word) + short_password(word)?)).min();
    let end = argument.len();
    let to_the_end = short.into_iter().chain(named(argument)).min().map(|from| (from, end));
    match (to_the_end, in_address(argument)) {
        (None, Some((from, to))) if !argument.contains(char::is_whitespace) => Some((from, to)),
        (one, another) => one.into_iter().chain(another).map(|(from, _)| (from, end)).min(),
    }
}

fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// Where the password of a short option begins: `-psecret`, `-Bpsecret`.
fn short_password(word: &str) -> Option<usize> {
    let options = word.trim_start_matches(['"', '\'', '(']).strip_prefix('-')?;
    let flags = options.find(|option| !FLAGS.contains(option))?;
    let password = options[flags..].strip_prefix('p').filter(|password| !password.is_empty())?;
    Some(word.len() - password.len())
}

/// Where the value of something begins that has the name of a secret: `--password=x`, `MYSQL_PWD=x`, `"token": "x"`,
/// `IDENTIFIED BY 'x'`.
fn named(argument: &str) -> Option<usize> {
    let small = argument.to_ascii_lowercase();
    // Of an option with a value only the name counts; a file may be called anything.
    let is_one_option = small.starts_with("--") && !small.contains(char::is_whitespace);
    let searched = if is_one_option { small.split('=').next().unwrap_or_default() } else { &small };
    let ends =
        NAMES.iter().chain([&IN_STATEMENTS]).filter_map(|name| Some(searched.find(name)? + name.len()));
    let values = ends.filter_map(|end| {
        let separator = end + small[end..].find(|c: char| "=:\"'".contains(c) || c.is_whitespace())?;
        Some(separator + small[separator..].chars().next()?.len_utf8())
    });
    values.min().filter(|value| *value < argument.len())
}

/// Whether an option is named like a secret, which follows it.
fn is_name(option: &str) -> bool {
    let small = option.to_ascii_lowercase();
    !small.contains('=') && NAMES.iter().any(|name| small.contains(name))
}

/// Where the password of an address is: `mysql://user:secret@host`, `user:secret@tcp(host)/db`. It may have any
/// character in it, so it is taken to end at the last `@`.
fn in_address(argument: &str) -> Option<(usize, usize)> {
    let end = argument.rfind('@')?;
    let user = argument[..end].find("://").map_or(0, |scheme| scheme + 3);
    let from = user + argument[user..end].find(':')? + 1;
    (from < end).then_some((from, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_told() {
        for (line, expected) in [
            ("mysql|-uroot|-pHIDDEN|shop", "mysql -uroot -p*** shop"),
            ("/usr/bin/mysql|-p|shop", "/usr/bin/mysql -p shop"),
            ("mariadb-dump|-p|shop", "mariadb-dump -p shop"),
            ("mydumper|-p|HIDDEN|-o|/dump", "mydumper -p *** -o /dump"),
            ("mysql|-BNpHIDDEN", "mysql -BNp***"),
            ("mysql|-uapp|-hexample", "mysql -uapp -hexample"),
            ("mysql|--password=HIDDEN|--host=db", "mysql --password=*** --host=db"),
            ("mysql|--PASSWORD1=HIDDEN", "mysql --PASSWORD1=***"),
            ("mysql|--passw=SEC RET=x", "mysql --passw=***"),
            ("mysql|--password=|x", "mysql --password= x"),
            ("tool|--password|HIDDEN|--host|db", "tool --password *** --host db"),
            ("tool|--password|--host|db", "tool --password --host db"),
            ("tool|-pass|HIDDEN", "tool -p*** ***"),
            ("tool|--api-key|HIDDEN|x", "tool --api-key *** x"),
            ("tool|--defaults-file=/etc/passwords.cnf", "tool --defaults-file=/etc/passwords.cnf"),
            ("env|MYSQL_PWD=HIDDEN|mysql", "env MYSQL_PWD=*** mysql"),
            ("app|mysql://root:HIDDEN@db:3306/shop", "app mysql://root:***@db:3306/shop"),
            ("app|--dsn=mysql://root:S@C:R/E@db/shop", "app --dsn=mysql://root:***@db/shop"),
            ("app|root:HIDDEN@tcp(db:3306)/shop", "app root:***@tcp(db:3306)/shop"),
            ("app|mysql://root:HIDDEN@db/shop?password=HIDDEN", "app mysql://root:***"),
            ("app|mysql://root@db:3306/shop", "app mysql://root@db:3306/shop"),
            ("app|mysql://db/shop?user=x&password=HIDDEN", "app mysql://db/shop?user=x&password=***"),
            ("sh|-c|mysql -uroot -pHIDDEN shop", "sh -c mysql -uroot -p***"),
            ("sh|-c|mysql --password='SEC RET' x", "sh -c mysql --password=***"),
            ("sh|-c|app mysql://root:HIDDEN@db x", "sh -c app mysql://root:***"),
            ("mysql|-e|ALTER USER x IDENTIFIED BY 'HIDDEN'", "mysql -e ALTER USER x IDENTIFIED***"),
            (
                "mysql|-e|SELECT a FROM t WHERE b = 'HIDDEN' AND c = 7",
                "mysql -e SELECT a FROM t WHERE b = ? AND c = ?",
            ),
            ("sh|-c|mysql -e \"SELECT 'HIDDEN'\" shop", "sh -c mysql -e ? shop"),
            ("mysql|-e|SET PASSWORD = 'HIDDEN'", "mysql -e SET PASSWORD***"),
            (r#"app|{"user":"x","password":"HIDDEN"}"#, r#"app {"user":"x","password"***"#),
            ("curl|-H|Authorization: Bearer HIDDEN", "curl -H Authorization:***"),
            (
                "observer|record|--alert-url=https://hooks.example.com/HIDDEN",
                "observer record --alert-url=https://hooks.example.com/***",
            ),
            (
                "sh|-c|curl -d @- https://hooks.example.com/HIDDEN",
                "sh -c curl -d @- https://hooks.example.com/***",
            ),
            ("python3|app.py|--port|3306", "python3 app.py --port 3306"),
            ("mysqld|--port=3306|--datadir=/var/lib/mysql", "mysqld --port=3306 --datadir=/var/lib/mysql"),
            ("tool|--pässword|x|-pSECRÄT", "tool --pässword x -p***"),
            ("", ""),
        ] {
            let told = masked(line.split('|'));
            assert_eq!(told, expected, "{line}");
            assert!(!told.contains("HIDDEN"), "{told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_arguments_do_no_harm(arguments in proptest::collection::vec("\\PC{0,24}|[-p@:/=' a]{0,12}|--password=?\\PC*", 0..6)) {
            masked(arguments.iter().map(String::as_str));
        }
    }
}
