//! Socket diagnostics against the running kernel, with connections of the test's own.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use observer::source::live::ObservationClock;
use observer::source::live::diag::{DiagHandle, DiagOptions, spawn};
use observer_core::{
    Event, EventKind, Flow, SocketEventKind, SocketSample, SourceEvent, TcpState, TimerKind, Vantage,
};
use tokio::sync::mpsc::{Receiver, channel};

const LOOPBACK_4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Polls follow each other so fast that a test waits for the kernel, not for polls.
const FAST: Duration = Duration::from_millis(20);
/// A poll that will not come by itself.
const NEVER: Duration = Duration::from_hours(1);
/// After so many polls without what was expected a test gives up.
const PATIENCE: usize = 1_000;

/// A connection over loopback whose server's port is the MySQL port.
struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    /// At a port of the system's choice when `port` is 0.
    fn open(address: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(address, port)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        Self { client, server }
    }

    /// Over the loopback of another namespace, which one thread enters for it.
    fn open_within(namespace: &Path, port: u16) -> Self {
        let namespace = File::open(namespace).unwrap();
        std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            Self::open(LOOPBACK_4, port)
        })
        .join()
        .unwrap()
    }

    fn flow(&self) -> Flow {
        Flow { client: self.client.local_addr().unwrap(), server: self.client.peer_addr().unwrap() }
    }

    fn port(&self) -> u16 {
        self.flow().server.port()
    }

    /// Writes at the server's end until nothing more goes in. The client never reads.
    fn stall(&mut self) {
        self.server.set_nonblocking(true).unwrap();
        loop {
            match self.server.write(&[b'x'; 16_384]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("writing to the client: {error}"),
            }
        }
    }
}

/// The inode of a socket, as its owner sees it.
fn inode(stream: &TcpStream) -> u32 {
    let link = fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
    let text = link.to_str().unwrap();
    text.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
}

/// The source, and what it tells.
struct Diag {
    handle: DiagHandle,
    events: Receiver<Vec<Event>>,
}

impl Diag {
    fn start(port: u16, period: Duration) -> Self {
        let (sender, events) = channel(4);
        let clock = ObservationClock::new().unwrap();
        let handle = spawn(DiagOptions { ports: vec![port], period, clock }, sender).unwrap();
        Self { handle, events }
    }

    /// The next poll.
    fn next(&mut self) -> Vec<Event> {
        self.events.blocking_recv().expect("the source goes on")
    }

    /// Takes polls until `found` finds something in one.
    fn wait_for<T>(&mut self, what: &str, mut found: impl FnMut(&[Event]) -> Option<T>) -> T {
        (0..PATIENCE)
            .find_map(|_| found(&self.next()))
            .unwrap_or_else(|| panic!("{what}: not in {PATIENCE} polls"))
    }

    /// Takes polls until one end gives a sample as expected. The socket's cookie comes with it.
    fn wait_for_sample(
        &mut self,
        what: &str,
        (flow, end): (Flow, Vantage),
        expected: impl Fn(&SocketSample) -> bool,
    ) -> (u64, SocketSample) {
        self.wait_for(what, |events| {
            samples(events, flow)
                .into_iter()
                .find(|&(seen_at, _, sample)| seen_at == end && expected(sample))
                .map(|(_, cookie, sample)| (cookie, sample.clone()))
        })
    }

    /// Takes polls until two sockets were said to be gone. Gives their cookies.
    fn wait_for_end(&mut self, of: Flow) -> Vec<u64> {
        let mut gone = Vec::new();
        self.wait_for("both sockets gone", |events| {
            gone.extend(destroyed(events, of));
            (gone.len() == 2).then_some(())
        });
        gone.sort_unstable();
        gone
    }
}

fn samples(events: &[Event], of: Flow) -> Vec<(Vantage, u64, &SocketSample)> {
    let sample = |event| match event {
        &Event { kind: EventKind::Socket(ref event), .. } if event.socket.flow == of => match &event.kind {
            SocketEventKind::Socket(sample) => {
                Some((event.socket.seen_at, event.socket.cookie.expect("a cookie"), &**sample))
            }
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(sample).collect()
}

fn cookies(events: &[Event], of: Flow) -> Vec<u64> {
    let mut cookies: Vec<_> = samples(events, of).into_iter().map(|(_, cookie, _)| cookie).collect();
    cookies.sort_unstable();
    cookies
}

fn destroyed(events: &[Event], of: Flow) -> Vec<u64> {
    let cookie = |event: &Event| match &event.kind {
        EventKind::Socket(event) if event.socket.flow == of && event.kind == SocketEventKind::Destroyed => {
            event.socket.cookie
        }
        _ => None,
    };
    events.iter().filter_map(cookie).collect()
}

fn degraded(events: &[Event]) -> Vec<(&str, &str)> {
    let part = |event| match event {
        &Event { kind: EventKind::Source(SourceEvent::Degraded { ref part, ref because, .. }), .. } => {
            Some((part.as_str(), because.as_str()))
        }
        _ => None,
    };
    events.iter().filter_map(part).collect()
}

fn ends_with_sockets_polled(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event { kind: EventKind::Source(SourceEvent::SocketsPolled { .. }), .. }))
}

fn a_stalled_reader_is_seen_at_both_ends(address: IpAddr) {
    let mut connection = Connection::open(address, 0);
    let flow = connection.flow();
    connection.stall();
    let mut diag = Diag::start(connection.port(), FAST);

    let (server_cookie, server) =
        diag.wait_for_sample("the server in persist at window zero", (flow, Vantage::Server), |sample| {
            sample.timer == TimerKind::Persist && sample.send_window == Some(0)
        });
    assert_eq!(server.state, TcpState::Established);
    assert_eq!(server.recv_queue, 0);
    assert!(server.send_queue > 0 && server.not_sent > 0);
    assert!(server.send_buffer_used > server.send_buffer / 3 * 2, "not writable: {server:?}");
    assert!(server.send_window_scale.is_some() && server.recv_window_scale.is_some());
    assert!(server.rto > Duration::ZERO);
    assert_eq!(server.inode, inode(&connection.server));
    assert_eq!(server.uid, nix::unistd::geteuid().as_raw());

    let (client_cookie, client) =
        diag.wait_for_sample("the client with unread bytes", (flow, Vantage::Client), |sample| {
            sample.recv_queue > 0
        });
    assert_eq!(client.state, TcpState::Established);
    assert_eq!(client.send_queue, 0);
    assert_eq!(u64::from(client.recv_queue), client.bytes_received);
    assert_eq!(client.bytes_received, server.bytes_acked);
    assert!(client.recv_buffer > 0 && client.recv_buffer_used >= client.recv_queue);
    // The kernel tells it from 6.2 on.
    assert!(client.recv_window.is_none_or(|window| window == 0), "{:?}", client.recv_window);
    assert_eq!(client.inode, inode(&connection.client));
    assert_eq!(client.recv_window_scale, server.send_window_scale);

    // In trouble they are told at every poll, by the same names.
    let names = HashMap::from([(Vantage::Server, server_cookie), (Vantage::Client, client_cookie)]);
    assert_ne!(client_cookie, server_cookie);
    for _ in 0..2 {
        let events = diag.next();
        let told = samples(&events, flow).into_iter().map(|(end, cookie, _)| (end, cookie));
        assert_eq!(told.collect::<HashMap<_, _>>(), names);
    }
}

#[test]
fn a_stalled_reader_is_seen_at_both_ends_on_ipv4() {
    a_stalled_reader_is_seen_at_both_ends(LOOPBACK_4);
}

#[test]
fn a_stalled_reader_is_seen_at_both_ends_on_ipv6() {
    a_stalled_reader_is_seen_at_both_ends(LOOPBACK_6);
}

/// A server that listens on `::` has its IPv4 clients at mapped addresses.
#[test]
fn ipv4_at_an_ipv6_socket_is_the_same_flow_at_both_ends() {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let address = SocketAddr::new(LOOPBACK_4, listener.local_addr().unwrap().port());
    let client = TcpStream::connect(address).unwrap();
    let _server = listener.accept().unwrap();
    let flow = Flow { client: client.local_addr().unwrap(), server: address };
    let mut diag = Diag::start(address.port(), NEVER);
    let events = diag.next();
    let ends: Vec<_> = samples(&events, flow).into_iter().map(|(end, ..)| end).collect();
    assert_eq!(ends.len(), 2, "{events:?}");
    assert!(ends.contains(&Vantage::Client) && ends.contains(&Vantage::Server));
}

#[test]
fn a_quiet_connection_is_told_once_and_its_end_too_on_ipv4() {
    a_quiet_connection_is_told_once_and_its_end_too(LOOPBACK_4);
}

#[test]
fn a_quiet_connection_is_told_once_and_its_end_too_on_ipv6() {
    a_quiet_connection_is_told_once_and_its_end_too(LOOPBACK_6);
}

fn a_quiet_connection_is_told_once_and_its_end_too(address: IpAddr) {
    let connection = Connection::open(address, 0);
    let flow = connection.flow();
    let mut diag = Diag::start(connection.port(), NEVER);
    let first = diag.next();
    let told = cookies(&first, flow);
    assert_eq!(told.len(), 2);
    assert!(ends_with_sockets_polled(&first));

    for _ in 0..3 {
        diag.handle.poll_now();
        let events = diag.next();
        assert!(samples(&events, flow).is_empty(), "{events:?}");
        assert!(destroyed(&events, flow).is_empty(), "{events:?}");
        assert!(ends_with_sockets_polled(&events));
    }

    drop(connection);
    diag.handle.set_period(FAST);
    assert_eq!(diag.wait_for_end(flow), told);
}

#[test]
fn the_orphan_of_a_server_that_gave_up_is_still_seen() {
    let mut connection = Connection::open(LOOPBACK_4, 0);
    let flow = connection.flow();
    connection.stall();
    let mut diag = Diag::start(connection.port(), FAST);
    let (cookie, before) = diag.wait_for_sample("the server in persist", (flow, Vantage::Server), |sample| {
        sample.timer == TimerKind::Persist && sample.send_window == Some(0)
    });
    let Connection { client: _client, server } = connection;
    drop(server);
    let (orphan_cookie, orphan) =
        diag.wait_for_sample("the server's orphan", (flow, Vantage::Server), |sample| {
            sample.state == TcpState::FinWait1
        });
    assert_eq!(orphan_cookie, cookie);
    assert_eq!(orphan.inode, 0);
    assert_eq!(orphan.timer, TimerKind::Persist);
    assert_eq!(orphan.send_queue, before.send_queue + 1, "the FIN has its place behind the data");
}

#[test]
fn other_ports_are_not_told() {
    let (ours, theirs) = (Connection::open(LOOPBACK_4, 0), Connection::open(LOOPBACK_4, 0));
    let mut diag = Diag::start(ours.port(), NEVER);
    let events = diag.next();
    assert_eq!(samples(&events, ours.flow()).len(), 2);
    assert!(samples(&events, theirs.flow()).is_empty());
}

/// Were the thread to wait for room in the channel, or for its period to pass, the drop would not return.
#[test]
fn stops_when_dropped_though_nobody_takes_its_events() {
    let connection = Connection::open(LOOPBACK_4, 0);
    let clock = ObservationClock::new().unwrap();
    for period in [FAST, NEVER] {
        let (sender, mut events) = channel(1);
        let ports = vec![connection.port()];
        let handle = spawn(DiagOptions { ports, period, clock }, sender).unwrap();
        let first = events.blocking_recv().unwrap();
        assert_eq!(samples(&first, connection.flow()).len(), 2);
        handle.poll_now();
        drop(handle);
        while events.blocking_recv().is_some() {}
    }
}

#[test]
fn refuses_to_start_without_ports_or_with_too_many() {
    let clock = ObservationClock::new().unwrap();
    for ports in [vec![], vec![3306; 1025]] {
        let (sender, _events) = channel(1);
        assert!(spawn(DiagOptions { ports, period: FAST, clock }, sender).is_err());
    }
}

/// Runs itself as another user when the tests run as root.
#[test]
fn without_privilege_the_own_namespace_is_seen_and_the_others_are_said_to_be_missing() {
    const NAME: &str = "without_privilege_the_own_namespace_is_seen_and_the_others_are_said_to_be_missing";
    if nix::unistd::geteuid().is_root() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("diag");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        let output = command.arg(&program).args(["--exact", NAME]).current_dir("/").output().unwrap();
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

/// Whether this test can run. Under CI it must.
fn can_make_namespaces(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "{test} needs root, and nothing is skipped under CI");
        // Not by `eprintln`, which the test harness keeps to itself when a test passes.
        writeln!(std::io::stderr(), "skipped: {test}: making network namespaces needs root").unwrap();
    }
    root
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
        run(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

#[test]
fn a_named_namespace_is_found_without_being_told() {
    if !can_make_namespaces("a_named_namespace_is_found_without_being_told") {
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
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn the_namespace_of_a_process_is_found_and_lost_with_it() {
    if !can_make_namespaces("the_namespace_of_a_process_is_found_and_lost_with_it") {
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
