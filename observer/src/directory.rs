//! The directory that a file is made in, without being led astray on the way there.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Uid, geteuid};

/// As many links as the kernel follows (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: u32 = 40;

/// Opens the directory that `path` names a file in, for openat(2), and gives the file's name.
///
/// As root the program makes files in places where others can make links. It follows those of root alone, wherever on
/// the way they are: who has made another could lead it to any place. The kernel does the same in directories like
/// `/tmp` only, and only if it is told to (`fs.protected_symlinks`, proc_sys_fs(5)). Where the last part of `path` is
/// a link, that is for the one who opens the file to see.
///
/// # Errors
///
/// When there is no such directory, or a link of somebody else is on the way.
pub(crate) fn of(path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let name = path.file_name().ok_or(Errno::EISDIR)?.to_owned();
    Ok((walk(path.parent().unwrap_or(Path::new("")), geteuid())?, name))
}

fn walk(directory: &Path, user: Uid) -> io::Result<OwnedFd> {
    const WAY: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
    let mut links = 0;
    let mut ahead = VecDeque::new();
    let mut here = begin(directory, &mut ahead)?;
    while let Some(part) = ahead.pop_front() {
        let next = openat(&here, &*part, WAY, Mode::empty())?;
        let status = fstat(&next)?;
        if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
            here = next;
            continue;
        }
        if user.is_root() && status.st_uid != 0 {
            let link = part.display();
            return Err(io::Error::other(format!(
                "{link} on the way there is a symbolic link of another user, which root does not follow"
            )));
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::ELOOP.into());
        }
        let target = readlinkat(&next, "")?;
        let mut inserted = VecDeque::new();
        let target = Path::new(&target);
        let start = begin(target, &mut inserted)?;
        if target.is_absolute() {
            here = start;
        }
        inserted.append(&mut ahead);
        ahead = inserted;
    }
    Ok(here)
}

/// Where a path begins, and its parts from there on.
fn begin(path: &Path, parts: &mut VecDeque<OsString>) -> io::Result<OwnedFd> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    parts.extend(path.components().filter(named).map(|part| part.as_os_str().to_owned()));
    let start = if path.is_absolute() { "/" } else { "." };
    Ok(open(start, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, lchown, symlink};

    use super::*;

    fn inode(directory: &OwnedFd) -> u64 {
        fstat(directory).unwrap().st_ino
    }

    #[test]
    fn the_way_of_the_kernel_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let real = place.path().join("a/real");
        fs::create_dir_all(&real).unwrap();
        symlink("a/./real", place.path().join("relative")).unwrap();
        symlink(&real, place.path().join("absolute")).unwrap();
        symlink("../relative/../real", place.path().join("a/winding")).unwrap();
        for way in ["a/real", "relative", "absolute", "a/winding", "a/../relative/."] {
            let (directory, name) = of(&place.path().join(way).join("log")).unwrap();
            assert_eq!(inode(&directory), real.metadata().unwrap().ino(), "{way}");
            assert_eq!(name, "log");
        }
        let (here, name) = of(Path::new("log")).unwrap();
        assert_eq!((inode(&here), name), (fs::metadata(".").unwrap().ino(), "log".into()));
    }

    #[test]
    fn what_leads_nowhere_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        symlink("loop", place.path().join("loop")).unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let error = |way: &str| of(&place.path().join(way)).map(|_| ()).unwrap_err();
        assert_eq!(error("loop/log").raw_os_error(), Some(Errno::ELOOP as i32));
        assert_eq!(error("gone/log").kind(), io::ErrorKind::NotFound);
        assert_eq!(error("file/more/log").kind(), io::ErrorKind::NotADirectory);
        assert_eq!(of(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn root_follows_no_link_of_another() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        symlink(".", &link).unwrap();
        let way = link.join("x");
        let own = link.symlink_metadata().unwrap().uid();
        if own != 0 {
            // Who is not root may go where any link leads, and cannot make one of another user's.
            assert!(
                walk(&way, Uid::from_raw(own)).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            );
            assert!(
                walk(&link, Uid::from_raw(0))
                    .is_err_and(|error| error.to_string().contains("link on the way"))
            );
            return;
        }
        assert!(walk(&link, Uid::from_raw(0)).is_ok());
        lchown(&link, Some(1234), None).unwrap();
        let error = walk(&link, Uid::from_raw(0)).unwrap_err().to_string();
        assert!(error.contains("link on the way there is a symbolic link of another user"), "{error}");
        assert!(walk(&link, Uid::from_raw(1234)).is_ok());
    }
}
