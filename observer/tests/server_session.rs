//! The process that holds a session at a server, and servers that send what is no session: it may end by that, and nothing else.

#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failure")]

mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use proptest::prelude::*;
use support::privilege::is_root;
use support::process::{PATIENCE, Process};
use tempfile::TempDir;

/// MySQL's greeting, without TLS.
const GREETING: &[u8] = b"\x0a9.7.4\0\x07\0\0\0saltsalt\0\xff\xf7\xff\x02\0\xff\xff\x15\
    \0\0\0\0\0\0\0\0\0\0saltsaltsalt\0caching_sha2_password\0";

/// The end of a login.
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

const ORDER: &str = r#"{"user": "asker", "password": "sesame",
    "tls": {"mode": "Preferred", "host": "127.0.0.1", "authorities": "", "certificates": ""}}"#;

/// What ends the process: an index that is out of bounds.
const DEADLY: [&[u8]; 2] = [GREETING, b"\x01"];

/// A command: the client takes leave.
const QUIT: &[u8] = b"\x01\0\0\0\x01";

struct Session {
    process: Child,
    server: UnixStream,
    link: BufReader<UnixStream>,
}

impl Session {
    /// Starts one as observer does, and gives its order.
    fn start() -> Self {
        let ((server, connection), (link, other)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_observer"))
            .arg("server-session")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(connection)))
            .stdout(Stdio::from(OwnedFd::from(other)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut session = Self { process, server, link: BufReader::new(link) };
        session.say(&ORDER.replace('\n', ""));
        session
    }

    fn say(&mut self, line: &str) {
        writeln!(self.link.get_mut(), "{line}").unwrap();
    }

    /// The next line; nothing when the process has ended.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.link.read_line(&mut line).unwrap();
        line
    }

    /// What the process has sent to the server when it is wanted no more and has ended.
    fn end(mut self) -> Vec<u8> {
        drop(self.link);
        let mut sent = Vec::new();
        self.server.read_to_end(&mut sent).unwrap();
        self.process.wait().unwrap();
        sent
    }
}

/// Packets of a server, each of which follows one of the client's.
fn packets<T: AsRef<[u8]>>(payloads: &[T]) -> Vec<u8> {
    let packet = |(number, payload): (u8, &T)| {
        let [low, middle, high, ..] = payload.as_ref().len().to_le_bytes();
        [&[low, middle, high, number], payload.as_ref()].concat()
    };
    (0..).step_by(2).zip(payloads).flat_map(packet).collect()
}

/// What the process makes of a server that sends this and no more, and what it sends itself.
fn talk(sent: &[u8]) -> (String, Vec<u8>) {
    let mut session = Session::start();
    // It may be gone before all of it is sent.
    let _ = session.server.write_all(sent);
    let _ = session.server.shutdown(Shutdown::Write);
    let line = session.line();
    (line, session.end())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_login_takes_a_hash_and_ends_with_leave() {
    let mut session = Session::start();
    session.server.write_all(&packets(&[GREETING, OK])).unwrap();
    assert_eq!(session.line(), "\"Done\"\n");
    let sent = session.end();
    assert!(holds(&sent, b"asker\0\x20") && !holds(&sent, b"sesame"), "{sent:?}");
    assert!(sent.ends_with(QUIT), "no COM_QUIT: {sent:?}");
}

#[test]
fn signals_and_a_server_that_does_not_answer_keep_it_from_no_leave() {
    let mut session = Session::start();
    session.server.write_all(&packets(&[GREETING, OK])).unwrap();
    assert_eq!(session.line(), "\"Done\"\n");
    let process = Pid::from_raw(session.process.id().cast_signed());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        kill(process, signal).unwrap();
    }
    session.say("\"SELECT 1\"");
    let sent = session.end();
    assert!(holds(&sent, b"\x03SELECT 1"), "it has ended by a signal: {sent:?}");
    assert!(sent.ends_with(QUIT), "no COM_QUIT: {sent:?}");
}

#[test]
fn a_password_is_not_sent_as_it_is() {
    for (asked, says) in [
        (&b"\x01\x04"[..], "it closed the connection"),
        (b"\xfemysql_clear_password\0", "mysql_cleartext_plugin disabled"),
        (b"\xfesha256_password\0saltsaltsaltsaltsalt\0", "it closed the connection"),
        (b"\xfeclient_ed25519\0saltsaltsaltsaltsaltsaltsaltsalt", "client_ed25519"),
        (b"\xff\x15\x04#28000Access denied", "Access denied"),
    ] {
        let (line, sent) = talk(&packets(&[GREETING, asked]));
        assert!(line.starts_with(r#"{"Failed":"#) && line.contains(says), "{asked:?}: {line}");
        assert!(!holds(&sent, b"sesame"), "{asked:?}: {sent:?}");
    }
    // Nor with a key that anybody could have sent.
    let key = b"\x01-----BEGIN PUBLIC KEY-----\n";
    let (line, _) = talk(&packets(&[GREETING, b"\x01\x04", key]));
    assert!(line.contains("within TLS only"), "{line}");
}

#[test]
fn nothing_of_the_account_comes_before_tls() {
    let mut greeting = GREETING.to_vec();
    let lower = b"\x0a9.7.4\0\x07\0\0\0saltsalt\0".len();
    greeting[lower + 1] |= 0x08;
    let mut session = Session::start();
    session.server.write_all(&packets(&[greeting])).unwrap();
    let mut request = [0; 36];
    session.server.read_exact(&mut request).unwrap();
    assert!(request.starts_with(b"\x20\0\0\x01") && !holds(&request, b"asker"), "{request:?}");
    session.server.write_all(b"\x07\0\0\x02this is no TLS").unwrap();
    assert!(session.line().contains("ssl-mode=DISABLED"));
    let sent = session.end();
    assert!(sent[0] == 22 && !holds(&sent, b"asker"), "{sent:?}");
}

/// An answer without end ends the process, not the memory.
#[test]
fn memory_is_limited() {
    let mut session = Session::start();
    session.server.write_all(&packets(&[GREETING])).unwrap();
    // Longer packets than that are put together from several.
    let part = [&[0xff, 0xff, 0xff, 2][..], &vec![b'a'; 0xff_ffff]].concat();
    let taken = (0..32).take_while(|_| session.server.write_all(&part).is_ok()).count();
    assert!(taken < 32, "512 MiB were taken");
    assert_eq!(session.line(), "");
}

/// A server that gives no answer does not keep it for ever, even when who has asked does not notice.
#[test]
fn time_is_limited() {
    let mut session = Session::start();
    session.server.write_all(&packets(&[GREETING, OK])).unwrap();
    assert_eq!(session.line(), "\"Done\"\n");
    session.say("\"SELECT 1\"");
    let status = session.process.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGALRM as i32));
}

/// An option file with the account's password.
fn option_file() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("my.cnf");
    fs::write(&file, "[observer]\npassword=sesame\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    (place, file)
}

#[test]
fn the_observer_outlives_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://asker@{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.write_all(&packets(&DEADLY)).unwrap();
        // Until it is closed.
        connection.read_to_end(&mut Vec::new())
    });
    let (_place, file) = option_file();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_observer"));
    doctor.args(["doctor", "--mysql", &url, "--mysql-defaults-file"]).arg(file);
    let output = doctor.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.lines().any(|line| line.contains("  server ") && line.contains("has ended (exit status: 101)")),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// An observer with a process group of its own, at a server that has let it log in and says no more, and the process that
/// holds the session.
fn observe() -> (Process, TcpStream, Pid) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let (_place, file) = option_file();
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(["live", "--plain", "--no-kernel", "--port", &server.port().to_string()]);
    command.args(["--mysql", &format!("mysql://asker@{server}"), "--mysql-defaults-file"]).arg(file);
    let observer = Process::spawn("observer", command.process_group(0)).unwrap();
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(&packets(&[GREETING, OK])).unwrap();
    let mut said = Vec::new();
    while !holds(&said, b"READ ONLY") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    let parent = observer.pid().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_child = |process: &Pid| status(*process, "PPid").is_some_and(|other| other == parent);
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let session = numbers.map(Pid::from_raw).find(is_child).unwrap();
    (observer, connection, session)
}

/// A field of what the kernel tells of a process.
fn status(process: Pid, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"))?;
    Some(value.to_owned())
}

#[test]
fn as_root_it_is_nobody() {
    if !is_root("as_root_it_is_nobody", "becoming another user") {
        return;
    }
    let (observer, _connection, session) = observe();
    // With the two that this takes, and they rest.
    let capabilities = ["CapPrm", "CapEff"].map(|set| status(observer.pid(), set).unwrap());
    assert_eq!(capabilities, ["00000000000000c0", "0000000000000000"]);
    let field = |name| status(session, name).unwrap();
    assert_eq!((field("Uid"), field("Gid")), (["65534"; 4].join("\t"), ["65534"; 4].join("\t")));
    assert_eq!((field("Groups").trim(), field("CapPrm").as_str()), ("", "0000000000000000"));
}

/// What is in its memory, the password above all, is written nowhere.
#[test]
fn where_memory_is_short_it_goes_first_and_it_leaves_no_dump() {
    let (_observer, _connection, session) = observe();
    let read = |file| fs::read_to_string(format!("/proc/{session}/{file}")).unwrap();
    assert_eq!(read("oom_score_adj"), "1000\n");
    // Of who owns it or not, it is root's when no dump may be made (proc_pid(5)).
    assert_eq!(fs::metadata(format!("/proc/{session}/status")).unwrap().uid(), 0);
}

#[test]
fn ctrl_c_ends_the_observer_and_then_the_session_with_leave() {
    let (mut observer, mut connection, _) = observe();
    killpg(observer.pid(), Signal::SIGINT).unwrap();
    observer.wait().unwrap();
    let mut sent = Vec::new();
    connection.read_to_end(&mut sent).unwrap();
    assert!(sent.ends_with(QUIT), "no COM_QUIT: {sent:?}");
    let said = [observer.stdout.all(), observer.stderr.all()].concat().join("\n");
    assert!(!said.contains("answers of"), "something is told to be missing: {said}");
}

/// In a mount namespace with a name server that never answers. The C library would ask it for five minutes.
#[test]
fn a_look_up_without_end_is_told_and_not_waited_for() {
    if !is_root("a_look_up_without_end_is_told_and_not_waited_for", "another resolv.conf") {
        return;
    }
    let nameserver = UdpSocket::bind("127.86.7.53:53").unwrap();
    let place = tempfile::tempdir().unwrap();
    let resolv = place.path().join("resolv.conf");
    fs::write(&resolv, "nameserver 127.86.7.53\noptions timeout:30 attempts:5\n").unwrap();
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(resolv).arg(env!("CARGO_BIN_EXE_observer"));
    command.args(["live", "--plain", "--no-kernel", "--mysql", "mysql://asker@db7.example"]);
    let mut observer = Process::spawn("observer", &mut command).unwrap();
    nameserver.set_read_timeout(Some(PATIENCE)).unwrap();
    nameserver.recv(&mut [0; 512]).unwrap();
    let is_told = |line: &str| line.contains("looking up its name takes too long").then_some(());
    observer.wait_stderr("what is missing", is_told).unwrap();
    observer.signal(Signal::SIGINT).unwrap();
    observer.wait().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// And it ends when it is wanted no more, whatever it has heard.
    #[test]
    fn no_server_learns_the_password(
        greeting in prop_oneof![
            Just(GREETING.to_vec()),
            proptest::collection::vec(any::<u8>(), 0..120),
            (0..GREETING.len(), any::<u8>()).prop_map(|(place, byte)| {
                let mut greeting = GREETING.to_vec();
                greeting[place] = byte;
                greeting
            }),
        ],
        then in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4),
    ) {
        let (line, sent) = talk(&packets(&[vec![greeting], then].concat()));
        prop_assert!(line.is_empty() || line.starts_with(r#"{"Failed":"#) || line == "\"Done\"\n", "{}", line);
        prop_assert!(!holds(&sent, b"sesame"), "{:?}", sent);
    }
}
