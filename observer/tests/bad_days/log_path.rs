//! A log that cannot be begun: status 2, and one line that names the path and what to do.

use std::fs;
use std::os::unix::fs::symlink;

use nix::unistd::geteuid;

use crate::harness::{AS_THEY_ARE, Place, QUIET, command, mounts_changed_by};
use crate::support::privilege::{NOBODY, is_root};

/// Runs the program with this log, which must fail for this reason.
fn assert_refused(place: &Place, surroundings: &[impl AsRef<str>], name: &str, reason: &str) {
    let path = place.path(name);
    let options = [QUIET, &["--log", path.to_str().unwrap()]].concat();
    let output = command(&place.observer(surroundings, &options)).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{name}: {talk}");
    let expected = format!("observer: writing the log to {}: {reason}\n", path.display());
    assert_eq!(talk, expected, "{name}");
}

#[test]
fn a_path_that_cannot_be_a_new_log() {
    let place = Place::new();
    fs::create_dir(place.path("directory")).unwrap();
    fs::write(place.path("evidence"), "{}\n").unwrap();
    symlink(place.path("evidence"), place.path("link")).unwrap();
    symlink(place.path("nowhere"), place.path("dangling")).unwrap();
    let link = "it is a symbolic link, which is not followed; give the path of the file itself";
    for (name, reason) in [
        ("directory", "Is a directory (os error 21); give the path of a file in it"),
        ("evidence", "the file exists and is not empty; give another name, or remove it first"),
        ("link", link),
        ("dangling", link),
        ("no/log", "No such file or directory (os error 2); make the directory first, or give another path"),
        ("evidence/log", "Not a directory (os error 20); give a path that you may write to"),
    ] {
        assert_refused(&place, AS_THEY_ARE, name, reason);
    }
    assert_eq!(fs::read_to_string(place.path("evidence")).unwrap(), "{}\n");
    assert!(!place.path("nowhere").exists());
}

#[test]
fn a_directory_of_somebody_else() {
    let place = Place::new();
    fs::create_dir(place.path("own")).unwrap();
    fs::set_permissions(place.path("own"), std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    let surroundings = if geteuid().is_root() { NOBODY } else { AS_THEY_ARE };
    let reason = "Permission denied (os error 13); give a path that you may write to";
    assert_refused(&place, surroundings, "own/log", reason);
}

#[test]
fn a_disk_that_is_read_only_or_full_from_the_beginning() {
    const NAME: &str = "a_disk_that_is_read_only_or_full_from_the_beginning";
    if !is_root(NAME, "mounting a disk") {
        return;
    }
    let place = Place::new();
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let disk = disk.display();
    for (script, reason) in [
        (
            format!("mount -t tmpfs -o ro none {disk}"),
            "Read-only file system (os error 30); give a path that you may write to",
        ),
        (
            // One page, and it is taken.
            format!("mount -t tmpfs -o size=4k none {disk}; echo full > {disk}/other"),
            "No space left on device (os error 28); make room, or give a path on another disk",
        ),
    ] {
        let surroundings = mounts_changed_by(&script);
        assert_refused(&place, &surroundings, "disk/log", reason);
    }
}
