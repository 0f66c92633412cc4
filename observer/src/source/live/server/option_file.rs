//! MySQL's option files, as far as a client's login needs them.
//! <https://dev.mysql.com/doc/refman/en/option-files.html>

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};

use super::tls::{Mode, Wanted};

/// What any client takes.
const CLIENT: &str = "client";

/// What only observer takes; it weighs more.
const OBSERVER: &str = "observer";

/// Larger files hold something else.
const MOST: u64 = 64 * 1024;

/// What an option file says of a login.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The host's name or address.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// A Unix socket.
    pub socket: Option<PathBuf>,
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// TLS.
    pub tls: Wanted,
}

impl std::fmt::Debug for Login {
    /// Without the password, wherever this ends up.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("socket", &self.socket)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, when others may read the password in it, or when a line of it is not understood. No
    /// message holds what a line says.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("reading the option file {}", path.display());
        let file = File::open(path).with_context(named)?;
        let metadata = file.metadata().with_context(named)?;
        ensure!(metadata.is_file(), "{}: not a file", path.display());
        let mut text = String::new();
        file.take(MOST + 1).read_to_string(&mut text).with_context(named)?;
        ensure!(text.len() as u64 <= MOST, "{}: more than {MOST} bytes are no option file", path.display());
        let login = Self::parse(&text).with_context(named)?;
        let mode = metadata.mode() & 0o777;
        if login.password.is_some() && mode & 0o077 != 0 {
            bail!("{}: others may read the password in it (mode {mode:04o}): chmod 600 {0}", path.display());
        }
        Ok(login)
    }

    /// Reads the lines of a file. The groups [client] and [observer] count, and of options with the same name the later
    /// one, but what stands in [observer] counts most.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let (mut client, mut observer) = (Self::default(), Self::default());
        let mut group = String::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('!') {
                bail!("line {number}: other files are not included (!include, !includedir): write it here");
            }
            if let Some(name) = line.strip_prefix('[') {
                let name =
                    name.strip_suffix(']').with_context(|| format!("line {number}: a group ends with ]"))?;
                name.trim().clone_into(&mut group);
                continue;
            }
            let into = match group.as_str() {
                "" => bail!("line {number}: an option stands behind a [group]"),
                CLIENT => &mut client,
                OBSERVER => &mut observer,
                _ => continue,
            };
            let (name, value) = option(line).with_context(|| format!("line {number}"))?;
            let known = into.set(&name, value.as_deref()).with_context(|| format!("line {number}"))?;
            // Other clients have options of their own.
            ensure!(known || group == CLIENT, "line {number}: [observer] has no option of this name");
        }
        Ok(observer.or(client))
    }

    /// What this lacks, from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let has_place = self.host.is_some() || self.port.is_some() || self.socket.is_some();
        let (host, port, socket) = if has_place {
            (self.host, self.port, self.socket)
        } else {
            (other.host, other.port, other.socket)
        };
        Self {
            host,
            port,
            socket,
            user: self.user.or(other.user),
            password: self.password.or(other.password),
            tls: self.tls.or(other.tls),
        }
    }

    /// Whether there is an option of this name.
    fn set(&mut self, name: &str, value: Option<&str>) -> anyhow::Result<bool> {
        let needed = || value.map(str::to_owned).with_context(|| format!("{name} needs a value"));
        match name {
            "host" => self.host = Some(needed()?),
            "port" => {
                let port = needed()?.parse().ok().filter(|port| *port > 0);
                self.port = Some(port.context("port is not a number from 1 to 65535")?);
            }
            "socket" => self.socket = Some(needed()?.into()),
            "user" => self.user = Some(needed()?),
            "password" => self.password = Some(needed().context("observer asks nobody for a password")?),
            "ssl-mode" => self.tls.mode = Some(needed()?.parse().map_err(|why| anyhow!("{why}"))?),
            "ssl-ca" => self.tls.ca = Some(needed()?.into()),
            // MariaDB's clients have no ssl-mode.
            "ssl-verify-server-cert" if is_on(value) => {
                self.tls.mode.get_or_insert(Mode::VerifyIdentity);
            }
            "ssl-verify-server-cert" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whether an option without a value, or with one that says so, is on.
fn is_on(value: Option<&str>) -> bool {
    !matches!(value, Some("0" | "OFF" | "off" | "FALSE" | "false"))
}

/// A line `name` or `name=value`. In names `_` and `-` are the same.
fn option(line: &str) -> anyhow::Result<(String, Option<String>)> {
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(unquoted(value.trim())?)),
        None => (line, None),
    };
    Ok((name.trim().replace('_', "-"), value))
}

/// A value without its quotes, with what its escapes stand for, and without the comment behind it.
fn unquoted(text: &str) -> anyhow::Result<String> {
    let text = without_comment(text);
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let (inside, behind) = text[1..].rsplit_once(quote).context("a quote is not closed")?;
        ensure!(behind.is_empty(), "something stands behind the closing quote");
        return Ok(unescaped(inside));
    }
    Ok(unescaped(text))
}

/// What stands before a `#` that is not within quotes. MySQL's clients take one within a word for a comment too
/// (`remove_end_comment` in mysys/my_default.cc): a file must not mean another password here than there.
fn without_comment(text: &str) -> &str {
    let (mut quote, mut is_escaped) = (None, false);
    for (index, letter) in text.char_indices() {
        match letter {
            '#' if quote.is_none() => return text[..index].trim_end(),
            '"' | '\'' if !is_escaped && quote.is_none_or(|quote| quote == letter) => {
                quote = if quote.is_none() { Some(letter) } else { None };
            }
            _ => {}
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text
}

fn unescaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            result.push(letter);
            continue;
        }
        match letters.next() {
            Some('b') => result.push('\u{8}'),
            Some('t') => result.push('\t'),
            Some('n') => result.push('\n'),
            Some('r') => result.push('\r'),
            Some('s') => result.push(' '),
            Some(plain @ ('\\' | '"' | '\'')) => result.push(plain),
            Some(other) => result.extend(['\\', other]),
            None => result.push('\\'),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn two_groups_count_and_observers_more() {
        let login = Login::parse(
            "# all clients\n[client]\nuser = app\npassword=\"p #1\"  # quoted\nhost=db1\ndefault-character-set=utf8mb4\n\
             [mysqldump]\nuser=dump\nquick\n\n[observer]\n; its own\nuser=observer\n",
        )
        .unwrap();
        let expected = Login {
            user: Some("observer".to_owned()),
            password: Some("p #1".to_owned()),
            host: Some("db1".to_owned()),
            ..Login::default()
        };
        assert_eq!(login, expected);
    }

    #[test]
    fn a_place_is_of_one_group() {
        let login = Login::parse("[client]\nsocket=/s\nport=1\n[observer]\nhost=db2\n").unwrap();
        assert_eq!((login.host.as_deref(), login.port, login.socket), (Some("db2"), None, None));
    }

    #[test]
    fn tls_is_as_the_clients_of_both_have_it() {
        let tls = |text| Login::parse(text).unwrap().tls;
        let wanted = Wanted { mode: Some(Mode::VerifyCa), ca: Some("/ca.pem".into()) };
        assert_eq!(tls("[client]\nssl-ca=/ca.pem\n[observer]\nssl_mode=verify_ca\n"), wanted);
        assert_eq!(tls("[client]\nssl-verify-server-cert\n").mode, Some(Mode::VerifyIdentity));
        assert_eq!(tls("[client]\nssl-verify-server-cert=0\n").mode, None);
        assert_eq!(tls("[client]\nssl-mode=REQUIRED\nssl-verify-server-cert\n").mode, Some(Mode::Required));
    }

    #[test]
    fn values_are_unquoted_and_unescaped() {
        for (line, value) in [
            ("password=a\\sb\\\\c\\td", "a b\\c\td"),
            ("password = 'it''s'", "it''s"),
            ("password=\"\"", ""),
            ("password=a=b", "a=b"),
            ("password=x#y", "x"),
            ("password=x #y", "x"),
            ("password=\\q", "\\q"),
            ("password='a b' # it's the loader's", "a b"),
            ("password=\"a # b\"# \"c\"", "a # b"),
            ("password='a\\' # b'", "a' # b"),
            ("password='x#y'", "x#y"),
            ("password=#x", ""),
        ] {
            let login = Login::parse(&format!("[client]\n{line}\n")).unwrap();
            assert_eq!(login.password.as_deref(), Some(value), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_its_words() {
        for (text, line) in [
            ("user=x", "line 1"),
            ("[client]\nport=hunter2", "line 2"),
            ("[client]\n\npassword='hunter2", "line 3"),
            ("[client]\npassword='a'hunter2", "line 2"),
            ("[client]\npassword", "line 2"),
            ("[client\n", "line 1"),
            ("[observer]\nhunter2=1", "line 2"),
            ("[client]\n!include /hunter2", "line 2"),
            ("[client]\nssl-mode=hunter2", "line 2"),
        ] {
            let error = format!("{:#}", Login::parse(text).unwrap_err());
            assert!(error.contains(line) && !error.contains("hunter2"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_password_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.cnf");
        let read = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Login::read(&path).map_err(|error| format!("{error:#}"))
        };
        assert!(read("[client]\npassword=hunter2", 0o600).is_ok());
        assert!(read("[client]\nuser=x", 0o644).is_ok());
        for mode in [0o640, 0o604] {
            let error = read("[client]\npassword=hunter2", mode).unwrap_err();
            assert!(error.contains("chmod 600") && !error.contains("hunter2"), "{error}");
        }
        assert!(read("[client]\npassword", 0o600).unwrap_err().contains("my.cnf"));
        assert!(Login::read(directory.path()).is_err());
    }

    #[test]
    fn a_password_is_not_in_the_debug_form() {
        let login = Login { password: Some("hunter2".to_owned()), ..Login::default() };
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
