//! What is sent with each post, from a file: tokens have no place on a command line, where everybody can read them.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use ureq::http::{HeaderName, HeaderValue};

/// Larger files hold something else.
const MOST: u64 = 64 * 1024;

/// Fields of an HTTP header; the values are secret.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

/// Reads a file with `Name: value` on each line; empty lines and those that begin with `#` say nothing.
///
/// # Errors
///
/// When it cannot be read, when others may read it, or when a line is not understood. No message holds what a line says.
pub fn read(path: &Path) -> anyhow::Result<Headers> {
    let place = path.display();
    let file = File::open(path).with_context(|| format!("reading the header of alerts from {place}"))?;
    let metadata = file.metadata().with_context(|| format!("reading {place}"))?;
    ensure!(metadata.is_file(), "{place}: not a file");
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{place}: others may read what is secret in it (mode {mode:04o}): chmod 600 {place}");
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).with_context(|| format!("reading {place}"))?;
    ensure!(text.len() as u64 <= MOST, "{place}: larger than {MOST} bytes");
    let mut headers = Headers::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| says_something(line)) {
        match parse(line) {
            Some(header) => headers.push(header),
            None => bail!("{place}: line {number} is not NAME: VALUE"),
        }
    }
    Ok(headers)
}

fn says_something(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn parse(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_file_has_a_field_a_line() {
        let file = written("# of the pager\nAuthorization: Bearer a:b\n\nX-Team:  db \n", 0o600);
        let headers = read(file.path()).unwrap();
        let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(shown, [("authorization", &b"Bearer a:b"[..]), ("x-team", b"db")]);
        assert!(!format!("{headers:?}").contains("Bearer"), "a secret would be in a log");
    }

    #[test]
    fn what_is_wrong_is_told_without_what_it_says() {
        for (text, mode, why) in [
            ("Authorization: x\n", 0o640, "chmod 600"),
            ("X-Team: db\nhunter2\n", 0o600, "line 2"),
            ("X Team: hunter2\n", 0o600, "line 1"),
        ] {
            let said = format!("{:#}", read(written(text, mode).path()).unwrap_err());
            assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
        }
    }
}
