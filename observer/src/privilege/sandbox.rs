//! The sandbox in which files of others are read, and what servers send that are asked.
//!
//! Either may come from anybody, and a parser may have a flaw. So once it has what it reads, a process that
//! does nothing but read it keeps no capability, opens no other file and no connection (landlock(7)), and as root
//! becomes nobody. There is no list of system calls: what is left of them does nothing with these rights, and a list
//! breaks with every new C library.

use std::path::Path;

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

use super::capabilities::can_be_roots;
use super::{Capabilities, Capability, keep, reading_in, writing_to};

/// The newest rules that are known here. An older kernel applies those it knows, one without Landlock none.
const NEWEST: ABI = ABI::V6;

/// The user that owns nothing (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65534;

/// What is still done in the sandbox, beside reading what is open and writing to what is open.
#[derive(Clone, Debug, Default)]
pub struct Uses<'a> {
    /// Directories whose files are read.
    pub directories: Vec<&'a Path>,
    /// There is a view: it takes the terminal, and writes reports to this directory.
    pub reports: Option<&'a Path>,
}

/// Begins the sandbox for the calling thread, the threads it starts from now on, and for ever.
///
/// # Errors
///
/// When the kernel refuses what every kernel can do: giving up.
pub fn confine(uses: &Uses<'_>) -> anyhow::Result<()> {
    let resting = uses.reports.map_or(Ok(Capabilities::NONE), writing_to)?;
    let mut kept = resting;
    for directory in &uses.directories {
        kept = kept.and(reading_in(directory)?);
    }
    // Who opens files later needs the rights of who has called.
    if uses.reports.is_none() && uses.directories.is_empty() && geteuid().is_root() {
        become_nobody().context("becoming nobody, as who reads files of others")?;
    }
    forbid(uses).context("forbidding other files and the network")?;
    keep(kept, resting)
}

/// For all threads. In a user namespace that has no such user root stays what it is there, and so it does where it was
/// denied for ever to become another.
fn become_nobody() -> nix::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    // The groups go first: afterwards there is no permission to.
    let changed = setresgid(group, group, group)
        .and_then(|()| setgroups(&[]))
        .and_then(|()| setresuid(user, user, user));
    let could = || [Capability::SetGid, Capability::SetUid].into_iter().all(can_be_roots);
    match changed {
        // It has no such user.
        Err(Errno::EINVAL) => Ok(()),
        Err(Errno::EPERM) if !could() => Ok(()),
        changed => changed,
    }
}

/// Whether this kernel has means to.
fn forbid(uses: &Uses<'_>) -> anyhow::Result<bool> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut allowed: Vec<(&Path, BitFlags<AccessFs>)> =
        uses.directories.iter().map(|&path| (path, read)).collect();
    if let Some(reports) = uses.reports {
        let terminal = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        allowed.push((Path::new("/dev/tty"), terminal));
        // Whether a signal is ignored.
        allowed.push((Path::new("/proc/self/status"), AccessFs::ReadFile.into()));
        allowed.push((reports, AccessFs::MakeReg | AccessFs::WriteFile));
    }
    for (path, access) in allowed {
        // What is not there needs no permission.
        if let Ok(place) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(place, access))?;
        }
    }
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// In a thread of its own, which alone is confined.
    #[test]
    fn other_files_and_the_network_are_out_of_reach() {
        let reports = tempfile::tempdir().unwrap();
        let recorded = tempfile::tempdir().unwrap();
        fs::write(recorded.path().join("part"), "x").unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let confined = || {
            if !forbid(&Uses { reports: Some(reports.path()), directories: vec![recorded.path()] }).unwrap() {
                return false;
            }
            let denied = |kind: ErrorKind| kind == ErrorKind::PermissionDenied;
            assert!(File::open(other.path()).is_err_and(|error| denied(error.kind())));
            assert!(fs::write(other.path(), "x").is_err_and(|error| denied(error.kind())));
            assert!(fs::read_to_string("/proc/self/status").is_ok());
            assert!(fs::read(recorded.path().join("part")).is_ok());
            // An older kernel's rules know no network.
            if let Err(error) = TcpStream::connect(listener.local_addr().unwrap()) {
                assert!(denied(error.kind()), "{error}");
            }
            let report = reports.path().join("report");
            let written = OpenOptions::new().write(true).create_new(true).open(&report);
            written.unwrap().write_all(b"x").unwrap();
            assert!(File::open(report).is_err(), "it is only written");
            true
        };
        if !thread::scope(|scope| scope.spawn(confined).join()).unwrap() {
            assert!(
                std::env::var_os("CI").is_none(),
                "this kernel has no Landlock, and nothing is skipped under CI"
            );
            let line = "skipped: other_files_and_the_network_are_out_of_reach: this kernel has no Landlock\n";
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        assert!(File::open(other.path()).is_ok(), "the other threads are as they were");
    }
}
