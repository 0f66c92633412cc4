//! Other network namespaces: found and asked with privilege, said to be missing without.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use observer::source::live::diag::{SocketCount, survey};
use observer_core::{TimerKind, Vantage};

use crate::privilege::{NOBODY, is_root};
use crate::support::{Connection, Diag, FAST, LOOPBACK_4, NEVER, cookies, degraded, destroyed, samples};

/// Runs itself as another user when the tests run as root.
#[test]
fn without_privilege_the_own_namespace_is_seen_and_the_others_are_said_to_be_missing() {
    const NAME: &str =
        "namespaces::without_privilege_the_own_namespace_is_seen_and_the_others_are_said_to_be_missing";
    if nix::unistd::geteuid().is_root() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("diag");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = Command::new(NOBODY[0]);
        let output = command
            .args(&NOBODY[1..])
            .arg(&program)
            .args(["--exact", NAME])
            .current_dir("/")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains("1 passed"), "{output}");
        return;
    }
    let connection = Connection::open(LOOPBACK_4, 0);
    let mut diag = Diag::start(connection.port(), NEVER);
    let events = diag.next();
    assert_eq!(samples(&events, connection.flow()).len(), 2);
    let [(part, because)] = degraded(&events)[..] else { panic!("{events:?}") };
    assert_eq!(part, "other network namespaces");
    assert!(because.contains("CAP_SYS_ADMIN"), "{because}");
    diag.handle.poll_now();
    assert_eq!(degraded(&diag.next()), [], "said twice");
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A namespace with a name and no process.
struct NamedNamespace(String);

impl NamedNamespace {
    fn new() -> Self {
        let namespace = Self(format!("observer-diag-{}", std::process::id()));
        run(Command::new("ip").args(["netns", "add", &namespace.0]));
        run(Command::new("ip").args(["-n", &namespace.0, "link", "set", "lo", "up"]));
        namespace
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.0)
    }
}

impl Drop for NamedNamespace {
    fn drop(&mut self) {
        // It may not have been made; then there is nothing to delete.
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).output();
    }
}

#[test]
fn a_named_namespace_is_found_without_being_told() {
    if !is_root("a_named_namespace_is_found_without_being_told", "making network namespaces") {
        return;
    }
    let here = Connection::open(LOOPBACK_4, 0);
    let mut diag = Diag::start(here.port(), NEVER);
    let events = diag.next();
    assert_eq!((samples(&events, here.flow()).len(), degraded(&events)), (2, vec![]));

    let namespace = NamedNamespace::new();
    let mut there = Connection::open_within(&namespace.path(), here.port());
    diag.handle.poll_now();
    assert_eq!(samples(&diag.next(), there.flow()).len(), 2, "found when asked for");

    let survey = survey(&[here.port()]).unwrap();
    let both = SocketCount { clients: 1, servers: 1 };
    assert_eq!(survey.own, Ok(both));
    assert_eq!(survey.incomplete, None);
    let with_sockets: Vec<_> =
        survey.others.into_iter().filter(|(_, count)| *count != SocketCount::default()).collect();
    assert_eq!(with_sockets, [(namespace.path(), both)]);

    there.stall();
    diag.handle.set_period(FAST);
    let end = (there.flow(), Vantage::Server);
    let (cookie, _) =
        diag.wait_for_sample("the server in persist", end, |sample| sample.timer == TimerKind::Persist);
    let again = diag.next();
    assert!(cookies(&again, there.flow()).contains(&cookie), "asked at every poll: {again:?}");
    assert!(samples(&again, here.flow()).is_empty(), "back in the own namespace: {again:?}");
    assert!(destroyed(&again, here.flow()).is_empty(), "back in the own namespace: {again:?}");
}

/// A process in a namespace of its own, as in a container.
struct Container(Child);

impl Container {
    fn start() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self(child)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.0.id()))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_namespace_of_a_process_is_found_and_lost_with_it() {
    if !is_root("the_namespace_of_a_process_is_found_and_lost_with_it", "making network namespaces") {
        return;
    }
    let container = Container::start();
    let there = Connection::open_within(&container.path(), 0);
    let mut diag = Diag::start(there.port(), NEVER);
    let told = cookies(&diag.next(), there.flow());
    assert_eq!(told.len(), 2);

    drop(container);
    diag.handle.set_period(FAST);
    assert_eq!(diag.wait_for_end(there.flow()), told);
    assert_eq!(degraded(&diag.next()), [], "a namespace that went away is no trouble");
}
