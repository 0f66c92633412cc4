//! The file that a report of what is being watched is written to.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Report, Watched, html, markdown};
use crate::directory;
use crate::text::{in_name, time_in_name};

/// What others than the owner and its group may do with a report: nothing. It names hosts and users.
const MODE: Mode = Mode::from_bits_truncate(0o640);
/// Of several reports on one connection in one second, so many have names.
const OF_ONE_SECOND: u32 = 9;
/// The longest a part of the name is; the name of a recording may be of any length.
const PART: usize = 64;

/// The forms, by the ends of their files' names: to paste into an issue, and with the chart for a browser.
const FORMS: [(&str, Form); 2] =
    [("md", |report, out| markdown(report, out)), ("html", |report, out| html(report, out))];

/// Writes a report to memory.
type Form = fn(&Report, &mut Vec<u8>) -> io::Result<()>;

/// Writes the report in each of [`FORMS`] to a new file in `directory`, readable by its owner and group at most, and gives
/// the path of the first: `observer-report-db1-10.2.7.31-51844-20240504T140348Z.md`. The others differ in what follows the
/// last dot.
///
/// As the program often runs as root and the directory may be anybody's, nothing that is there is written over or
/// followed (`O_EXCL`, open(2)), on the way there no link of another user (see [`directory::of`]).
///
/// # Errors
///
/// When a file cannot be created or written: which, why, and what the user can do.
pub fn write(report: &Report, directory: &Path) -> anyhow::Result<PathBuf> {
    let name = name(report);
    let files = create(directory, &name).map_err(|error| advise(&error)).with_context(|| {
        format!("creating {}", directory.join(&name).with_added_extension(FORMS[0].0).display())
    })?;
    for ((path, file), (_, form)) in files.iter().zip(FORMS) {
        let (mut text, mut file) = (Vec::new(), file);
        form(report, &mut text)?;
        // Not on a full disk, say: what is there is cut off then, and looks it.
        file.write_all(&text)
            .map_err(|error| advise(&error))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let [(path, _), ..] = files;
    Ok(path)
}

/// Makes a file for each form, all of one name.
fn create(directory: &Path, name: &str) -> io::Result<[(PathBuf, File); FORMS.len()]> {
    let mut number = 1;
    loop {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let paths = FORMS.map(|(end, _)| directory.join(format!("{name}{more}.{end}")));
        match create_all(paths) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < OF_ONE_SECOND => {
                number += 1;
            }
            created => return created,
        }
    }
}

/// All of them, or none.
fn create_all<const N: usize>(paths: [PathBuf; N]) -> io::Result<[(PathBuf, File); N]> {
    let mut created = Vec::with_capacity(N);
    for path in paths {
        let (place, name) = directory::of(&path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        match openat(&place, &*name, flags, MODE) {
            Ok(file) => created.push((path, File::from(file), (place, name))),
            Err(errno) => {
                for (.., (place, name)) in created {
                    // It is ours, and empty; there is nothing else to be done about it.
                    let _ = unlinkat(&place, &*name, UnlinkatFlags::NoRemoveDir);
                }
                return Err(errno.into());
            }
        }
    }
    let files: Vec<_> = created.into_iter().map(|(path, file, _)| (path, file)).collect();
    files.try_into().map_err(|_| io::Error::other("not all files were made"))
}

fn advise(error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "make the directory first",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
        io::ErrorKind::AlreadyExists => "wait a second",
        _ => "start observer with a --report-dir that you may write to",
    };
    anyhow!("{error}; {advice}")
}

fn name(report: &Report) -> String {
    let mut name = "observer-report".to_owned();
    let client = report.accounts.first().map(|account| account.flow.client.to_string());
    let place = report.watched.as_ref().map(|Watched { place, .. }| host(place).to_owned());
    let time = report.watched.as_ref().map(|Watched { at, .. }| time_in_name(*at));
    for part in [place, client, time].into_iter().flatten() {
        name.push('-');
        name.extend(in_name(&part).take(PART));
    }
    name
}

/// Of `db1:3306` the host, of the path of a recording its last part.
fn host(place: &str) -> &str {
    let last = place.rsplit('/').next().unwrap_or(place);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use observer_core::Timestamp;

    use super::*;

    fn report(place: &str) -> Report {
        let watched = Watched { place: place.to_owned(), at: Timestamp::from_micros(1_714_831_428_204_007) };
        Report { watched: Some(watched), ..Report::default() }
    }

    #[test]
    fn a_name_needs_no_quotes() {
        assert_eq!(name(&report("db1:3306")), "observer-report-db1-20240504T140348Z");
        assert_eq!(name(&report("/a b/c d\u{1b}[2J.pcap")), "observer-report-c_d_2J.pcap-20240504T140348Z");
        assert!(name(&report(&"x".repeat(1000))).len() < 255);
    }

    #[test]
    fn a_report_is_a_new_file_for_owner_and_group_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(&report("db1:3306"), directory.path()).unwrap();
        assert_eq!(path, directory.path().join("observer-report-db1-20240504T140348Z.md"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("db1:3306"), "{text}");
        let page = path.with_extension("html");
        assert_eq!(page.metadata().unwrap().permissions().mode() & 0o137, 0);
        let page = fs::read_to_string(page).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("db1:3306"), "{page}");
        // Another one of the same second does not touch the first.
        let second = write(&report("db1:3306"), directory.path()).unwrap();
        assert!(second.ends_with("observer-report-db1-20240504T140348Z-2.md"), "{}", second.display());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn nothing_that_is_there_is_followed_or_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        let name = "observer-report-db1-20240504T140348Z";
        symlink(&target, directory.path().join(format!("{name}.md"))).unwrap();
        // Whichever of the two is there, none is made.
        for n in 2..=OF_ONE_SECOND {
            let end = if n % 2 == 0 { "md" } else { "html" };
            fs::write(directory.path().join(format!("{name}-{n}.{end}")), "x").unwrap();
        }
        let error = format!("{:#}", write(&report("db1"), directory.path()).unwrap_err());
        assert!(error.contains("wait a second") && !target.exists(), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), OF_ONE_SECOND as usize);
    }

    #[test]
    fn an_error_names_the_file_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let error = format!("{:#}", write(&report("db1"), &directory.path().join("gone")).unwrap_err());
        assert!(
            error.contains("gone/observer-report-db1-") && error.contains("make the directory"),
            "{error}"
        );
    }
}
