//! What `/proc` says of one process (proc(5)).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use observer_core::{Owner, Process, Timestamp};

use super::cgroup_path::Place;
use super::secrets::masked;
use super::users::Users;
use crate::source::live::ObservationClock;

/// As much of a file is read.
const LONGEST: u64 = 4096;
/// Bytes of a command line that are told.
const COMMAND: usize = 256;

/// Processes that are remembered, at most. Beyond it all are forgotten, and read into new places.
const REMEMBERED: usize = 4096;

/// A host that has slept has done so for longer than reading two clocks takes.
const SLEPT: Duration = Duration::from_millis(500);

/// When the host was started, on the observation clock.
fn booted(clock: ObservationClock) -> Timestamp {
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    clock.now() - since_boot
}

/// Reads what there is to know of processes.
pub(super) struct Processes {
    users: Users,
    /// What was read last, by process id: whatever names an unchanged process shares it.
    last: HashMap<u32, Arc<Owner>>,
    clock: ObservationClock,
    /// When the host was started, on the observation clock, as if that had not stood still while the host slept.
    boot: Timestamp,
    /// Ticks a second, of the times in `/proc`.
    ticks: u64,
}

impl Processes {
    pub(super) fn new(clock: ObservationClock) -> Self {
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
        let (boot, ticks) = (booted(clock), ticks.unwrap_or(100).max(1));
        Self { users: Users::default(), last: HashMap::new(), clock, boot, ticks }
    }

    /// The host may have slept since: the kernel counts that in the beginning of processes.
    fn boot(&mut self) -> Timestamp {
        let now = booted(self.clock);
        // The two clocks are read one after the other: what has not begun anew is to have the same beginning.
        if self.boot.since(now) >= SLEPT {
            self.boot = now;
        }
        self.boot
    }

    /// The name of a user of this host.
    pub(super) fn user(&mut self, uid: u32) -> Option<String> {
        self.users.name(uid)
    }

    /// What is known of a process; `None` when it is gone, or another has its number by the end of the reading.
    pub(super) fn read(&mut self, pid: u32) -> Option<Arc<Owner>> {
        let read = self.read_anew(pid)?;
        if self.last.len() >= REMEMBERED {
            self.last.clear();
        }
        let last = self.last.entry(pid).or_insert_with(|| Arc::new(read.clone()));
        if **last != read {
            *last = Arc::new(read);
        }
        Some(Arc::clone(last))
    }

    fn read_anew(&mut self, pid: u32) -> Option<Owner> {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let read = |file: &str| read_beginning(directory.join(file)).ok();
        let (comm, started) = stat(&read("stat")?)?;
        let command = read("cmdline").map(|line| command(&line)).filter(|command| !command.is_empty());
        let place = read("cgroup").map(|text| Place::parse(&text)).unwrap_or_default();
        let uid = read("status").as_deref().and_then(effective_uid);
        // Only who may trace the process sees its namespaces.
        let netns = fs::metadata(directory.join("ns/net")).ok().map(|namespace| namespace.ino());
        if stat(&read("stat")?)?.1 != started {
            return None;
        }
        let of_host = uid.filter(|_| place.container.is_none());
        Some(Owner {
            process: Process { pid, tid: None, comm },
            started_at: self.boot() + ticks(started, self.ticks),
            command,
            uid,
            user: of_host.and_then(|uid| self.users.name(uid)),
            unit: place.unit,
            container: place.container,
            pod: place.pod,
            cgroup: place.path,
            netns,
        })
    }
}

fn ticks(count: u64, a_second: u64) -> Duration {
    Duration::from_secs(count / a_second)
        + Duration::from_secs(count % a_second) / u32::try_from(a_second).unwrap_or(1)
}

fn read_beginning(path: PathBuf) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The name and the start of a process, in ticks since the host was started, by `/proc/PID/stat`: `PID (NAME) STATE …`.
/// The name may have any character.
fn stat(text: &str) -> Option<(String, u64)> {
    let (begin, end) = (text.find('(')?, text.rfind(')')?);
    let comm = text.get(begin + 1..end)?.to_owned();
    // The fields behind the name begin with the third; the start is the 22nd.
    let started = text.get(end + 1..)?.split_ascii_whitespace().nth(19)?.parse().ok()?;
    Some((comm, started))
}

/// The arguments, each of which ends with NUL, as a line without secrets and of at most [`COMMAND`] bytes.
fn command(text: &str) -> String {
    let mut line = masked(text.trim_end_matches('\0').split('\0'));
    if line.len() > COMMAND {
        line.truncate(line.floor_char_boundary(COMMAND - '…'.len_utf8()));
        line.push('…');
    }
    line
}

/// The second number of `Uid:`.
fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(stat(&format!("7 (a) b (c) {fields}\n")), Some(("a) b (c".to_owned(), 777)));
        assert_eq!(stat("7 (a) S 1"), None);
        assert_eq!(stat(")("), None);
    }

    #[test]
    fn command_lines_are_cut_between_letters() {
        assert_eq!(command("mysqld\0--port=3306\0"), "mysqld --port=3306");
        assert_eq!(command("mysql\0-psecret\0\0"), "mysql -p***");
        assert_eq!(command(""), "");
        let long = command(&"ü".repeat(1000));
        assert!(long.len() <= COMMAND && long.ends_with("ü…"), "{long}");
    }

    #[test]
    fn the_effective_user_counts() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(effective_uid("Uid:\t1000\n"), None);
    }

    #[test]
    fn this_process_is_known() {
        let clock = ObservationClock::new().unwrap();
        let mut processes = Processes::new(clock);
        let own = processes.read(std::process::id()).unwrap();
        assert_eq!(own.process.pid, std::process::id());
        assert!(own.started_at <= clock.now() && own.command.is_some() && own.netns.is_some(), "{own:?}");
        assert_eq!(own.uid, Some(nix::unistd::geteuid().as_raw()));
        let again = processes.read(std::process::id()).unwrap();
        assert!(Arc::ptr_eq(&own, &again), "what has not changed is shared: {own:?}, {again:?}");
        assert_eq!(processes.read(u32::MAX), None);
    }
}
