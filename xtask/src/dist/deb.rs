//! A package for Debian and what comes from it: deb(5), Debian Policy.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};

use super::contents::Contents;
use super::target::Target;
use super::tree::{Tree, gzip};
use crate::files::read;
use crate::places::repository;
use crate::step::run_quietly;

/// Who answers for it, where the environment does not say.
const MAINTAINER: (&str, &str) = ("The observer developers", "observer@localhost");
/// Settings of the administrator's, which an upgrade keeps.
const CONFIGURATION: &str = "etc/observer/observer.toml";
const DOCUMENTS: &str = "usr/share/doc/observer";
/// What dpkg runs before and after.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes it in `place` and gives its path. All in it has one time, `epoch` in seconds since 1970.
pub(super) fn make(
    contents: &Contents,
    target: &Target,
    version: &str,
    epoch: u64,
    place: &Path,
) -> anyhow::Result<PathBuf> {
    // The part after the hyphen counts packages of the same release.
    let version = format!("{version}-1");
    let tree = Tree::new(&place.join("deb"))?;
    fill(&tree, contents, &version, epoch)?;
    describe(&tree, contents, target, &version)?;
    tree.settle(SystemTime::UNIX_EPOCH + Duration::from_secs(epoch))?;

    let package = place.join(format!("observer_{version}_{}.deb", target.debian));
    run_quietly(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(tree.place())
            .arg(&package)
            .env("SOURCE_DATE_EPOCH", epoch.to_string())
            // What xz makes depends on how many of it there are.
            .env("DPKG_DEB_THREADS_MAX", "1"),
    )?;
    Ok(package)
}

/// What is installed.
fn fill(tree: &Tree, contents: &Contents, version: &str, epoch: u64) -> anyhow::Result<()> {
    tree.program("usr/bin/observer", &contents.program)?;
    tree.file("usr/lib/systemd/system/observer.service", &contents.unit)?;
    if let Some(configuration) = &contents.configuration {
        tree.file(CONFIGURATION, configuration)?;
    }
    for (page, content) in &contents.pages {
        tree.file(&format!("usr/share/man/man1/{page}.gz"), gzip(content)?)?;
    }
    for (place, file, content) in &contents.completions {
        tree.file(&format!("{place}/{file}"), content)?;
    }
    for (path, content) in &contents.documents {
        if path == "CHANGELOG.md" {
            tree.file(&format!("{DOCUMENTS}/changelog.gz"), gzip(content)?)?;
        } else {
            tree.file(&format!("{DOCUMENTS}/{path}"), content)?;
        }
    }
    for (path, content) in &contents.examples {
        tree.file(&format!("{DOCUMENTS}/examples/{path}"), content)?;
    }
    tree.file(&format!("{DOCUMENTS}/THIRD-PARTY-LICENCES.gz"), gzip(contents.third_party.as_bytes())?)?;
    tree.file(&format!("{DOCUMENTS}/copyright"), copyright(contents)?)?;
    tree.file(&format!("{DOCUMENTS}/changelog.Debian.gz"), gzip(changelog(version, epoch)?.as_bytes())?)
}

/// What dpkg wants to know of it.
fn describe(tree: &Tree, contents: &Contents, target: &Target, version: &str) -> anyhow::Result<()> {
    let files = tree.files()?;
    let sums =
        Command::new("md5sum").args(&files).current_dir(tree.place()).output().context("starting md5sum")?;
    ensure!(sums.status.success(), "md5sum failed with {}", sums.status);
    let mut size = 0;
    for file in &files {
        let metadata = tree.place().join(file).metadata().with_context(|| format!("looking at {file}"))?;
        size += metadata.len().div_ceil(1024);
    }
    tree.file("DEBIAN/md5sums", sums.stdout)?;
    if contents.configuration.is_some() {
        tree.file("DEBIAN/conffiles", format!("/{CONFIGURATION}\n"))?;
    }
    let control = template("control")?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", target.debian)
        .replace("@MAINTAINER@", &maintainer()?)
        .replace("@SIZE@", &size.to_string());
    tree.file("DEBIAN/control", control)?;
    SCRIPTS.into_iter().try_for_each(|script| tree.program(&format!("DEBIAN/{script}"), template(script)?))
}

/// The licences in the form of Debian's, where no line of a text may be empty.
fn copyright(contents: &Contents) -> anyhow::Result<String> {
    let (_, mit) =
        contents.licences.iter().find(|(name, _)| name == "LICENSE-MIT").context("LICENSE-MIT is missing")?;
    let mit = String::from_utf8_lossy(mit);
    let holders =
        mit.lines().find(|line| line.starts_with("Copyright")).context("LICENSE-MIT names nobody")?;
    let indented: Vec<_> =
        mit.lines().map(|line| if line.is_empty() { " .".to_owned() } else { format!(" {line}") }).collect();
    Ok(template("copyright")?.replace("@HOLDERS@", holders).replace("@MIT@", &indented.join("\n")))
}

/// The changes of the package, which are those of the program: deb-changelog(5).
fn changelog(version: &str, epoch: u64) -> anyhow::Result<String> {
    let output = Command::new("date")
        .args(["--utc", "--rfc-email", &format!("--date=@{epoch}")])
        .env("LC_ALL", "C")
        .output()
        .context("starting date")?;
    ensure!(output.status.success(), "date failed with {}", output.status);
    let date = String::from_utf8_lossy(&output.stdout);
    Ok(format!(
        "observer ({version}) unstable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- {}  {}\n",
        maintainer()?,
        date.trim_end()
    ))
}

/// Who answers for it: `DEBFULLNAME` and `DEBEMAIL`, as Debian's own tools have it (debchange(1)).
fn maintainer() -> anyhow::Result<String> {
    let said = |variable| env::var(variable).ok().filter(|value| !value.is_empty());
    named(said("DEBFULLNAME"), said("DEBEMAIL"))
}

fn named(name: Option<String>, address: Option<String>) -> anyhow::Result<String> {
    let name = name.unwrap_or_else(|| MAINTAINER.0.to_owned());
    let address = address.unwrap_or_else(|| MAINTAINER.1.to_owned());
    // A line more would be a field more, or the end of an entry.
    ensure!(
        !format!("{name}{address}").contains(|c: char| c.is_control() || matches!(c, '<' | '>')),
        "DEBFULLNAME is to be a name and DEBEMAIL an address, each by itself"
    );
    Ok(format!("{name} <{address}>"))
}

fn template(name: &str) -> anyhow::Result<String> {
    let path = repository().join("packaging/debian").join(name);
    String::from_utf8(read(&path)?).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_answers_for_it_is_named_in_one_line() {
        let named = |name: Option<&str>, address: Option<&str>| {
            super::named(name.map(Into::into), address.map(Into::into)).map_err(|error| error.to_string())
        };
        assert_eq!(named(None, None).unwrap(), "The observer developers <observer@localhost>");
        assert_eq!(named(Some("A B"), Some("a@b.example")).unwrap(), "A B <a@b.example>");
        assert!(named(Some("A\nEssential: yes"), None).unwrap_err().contains("DEBFULLNAME"));
        assert!(named(None, Some("A B <a@b.example>")).unwrap_err().contains("DEBEMAIL"));
    }
}
