//! The doctor on this host, as root and as another user, and on hosts that lack something.
//!
//! Each test runs itself again in the surroundings it is about, and reads the report that it writes there.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod support;

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::unistd::geteuid;
use observer::doctor::{DoctorOptions, Status, run};
use serde_json::Value;
use support::privilege::{NOBODY, is_root};

/// Names the file for the report, to a test that runs in its surroundings.
const REPORT: &str = "OBSERVER_TEST_DOCTOR_REPORT";

/// The report, as the test `name` gets it when `wrapper` runs it. `None` within: the report is written then.
fn examined_under(wrapper: &[&str], name: &str) -> Option<Value> {
    if let Some(path) = std::env::var_os(REPORT) {
        let options = DoctorOptions { ports: vec![3306], servers: Vec::new(), json: true };
        let status = run(&options, &mut File::create(path).unwrap()).unwrap();
        assert!(matches!(status, Status::Full | Status::Degraded));
        return None;
    }
    // Another user cannot look into everybody's build directory.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (program, report) = (directory.path().join("doctor"), directory.path().join("report"));
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(&program).args(["--exact", name]);
    let output = command.env(REPORT, &report).current_dir("/").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{talk}{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&fs::read(report).unwrap()).unwrap())
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} not in {report:#}"))
}

fn missing(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["ok"] == false).map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
fn what_is_found_is_found_also_where_nobody_reads_of_it() {
    /// A pipe whose reader has gone.
    struct Gone;

    impl io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    for json in [false, true] {
        let options = DoctorOptions { ports: vec![3306], servers: Vec::new(), json };
        assert_eq!(run(&options, &mut Gone).unwrap(), run(&options, &mut io::sink()).unwrap());
    }
}

#[test]
fn root_has_everything() {
    const NAME: &str = "root_has_everything";
    if !is_root(NAME, "loading kernel programs") {
        return;
    }
    let Some(report) = examined_under(&["env"], NAME) else { return };
    assert_eq!(missing(&report), [""; 0], "{report:#}");
    assert_eq!(report["schema"], "observer.doctor/1");
    assert_eq!(check(&report, "cgroup_skb/egress")["found"], "loaded and attached");
    assert_eq!(check(&report, "tracepoint tcp:tcp_destroy_sock")["found"], "loaded and attached");
}

#[test]
fn nobody_has_socket_diagnostics() {
    const NAME: &str = "nobody_has_socket_diagnostics";
    let wrapper = if geteuid().is_root() { NOBODY } else { &["env"] };
    let Some(report) = examined_under(wrapper, NAME) else { return };
    for name in ["kernel", "socket diagnostics"] {
        assert_eq!(check(&report, name)["ok"], true, "{report:#}");
    }
    for name in [
        "CAP_BPF",
        "CAP_NET_ADMIN",
        "CAP_PERFMON",
        "CAP_SYS_ADMIN",
        "cgroup_skb/egress",
        "network namespaces",
    ] {
        let check = check(&report, name);
        assert_eq!(check["ok"], false, "{report:#}");
        assert_eq!(check["remedy"], "run with sudo");
        assert!(check["without"].as_str().is_some_and(|without| !without.is_empty()));
    }
}

/// What is mounted by the observer itself stands in, and nobody else sees it.
#[test]
fn a_host_without_cgroup_v2_and_tracefs_is_helped() {
    const NAME: &str = "a_host_without_cgroup_v2_and_tracefs_is_helped";
    if !is_root(NAME, "loading kernel programs") {
        return;
    }
    let without = "umount -a -t cgroup2; umount -a -t tracefs,debugfs; exec \"$@\"";
    let Some(report) = examined_under(&["unshare", "--mount", "sh", "-c", without, "sh"], NAME) else {
        return;
    };
    for name in ["cgroup v2", "tracefs"] {
        assert_eq!(check(&report, name)["found"], "not mounted; mounted for the observer alone");
    }
    assert_eq!(missing(&report), [""; 0], "{report:#}");
}

/// CAP_SYS_ADMIN is what mounting takes; all else is there.
#[test]
fn a_host_without_cgroup_v2_says_so_when_it_cannot_be_mounted() {
    const NAME: &str = "a_host_without_cgroup_v2_says_so_when_it_cannot_be_mounted";
    if !is_root(NAME, "loading kernel programs") {
        return;
    }
    let without = "umount -a -t cgroup2; umount -a -t tracefs,debugfs; \
                   exec setpriv --bounding-set=-sys_admin -- \"$@\"";
    let Some(report) = examined_under(&["unshare", "--mount", "sh", "-c", without, "sh"], NAME) else {
        return;
    };
    let cgroup = check(&report, "cgroup v2");
    assert_eq!((&cgroup["ok"], &cgroup["found"]), (&false.into(), &"not mounted".into()), "{report:#}");
    assert!(cgroup["remedy"].as_str().unwrap().starts_with("mount -t cgroup2"));
    assert_eq!(check(&report, "cgroup_skb/egress")["ok"], false);
    assert_eq!(check(&report, "tracefs")["ok"], false);
    assert_eq!(check(&report, "CAP_BPF")["ok"], true);
    assert_eq!(check(&report, "CAP_SYS_ADMIN")["ok"], false);
}

#[test]
fn counts_the_sockets_there_are_now() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    let _server = listener.accept().unwrap();
    let mut out = Vec::new();
    let options = DoctorOptions { ports: vec![address.port()], servers: Vec::new(), json: false };
    let status = run(&options, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let sockets = format!(
        "Sockets on port {} now: 1 of clients, 1 of servers in this network namespace\n",
        address.port()
    );
    assert!(text.contains(&sockets), "{text}");
    let all = text.ends_with("Everything that the full live view needs is here.\n");
    assert_eq!(status == Status::Full, all, "{text}");
}

#[test]
fn fails_without_ports() {
    let error =
        run(&DoctorOptions { ports: vec![], servers: Vec::new(), json: false }, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("port"), "{error:#}");
}
