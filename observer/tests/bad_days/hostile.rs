//! Ends that name themselves and what they want so that it would do something to a terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use observer::log::Line;
use observer_core::{Event, EventKind, SocketEvent, SocketEventKind, capability};

use crate::harness::{AS_THEY_ARE, Place, command, start, stop, whole_log};
use crate::support::connection::Connection;
use crate::support::privilege::is_root;
use crate::support::pty::{self, Pty};

/// It sets the title, clears the screen in two ways, and turns the direction of text.
const EVIL: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}2J\u{202e}\x7f";

/// What would do something to a terminal.
fn controls(text: &str) -> String {
    let directions =
        ['\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'].into_iter().chain('\u{202a}'..='\u{202e}');
    let directions: Vec<_> = directions.chain('\u{2066}'..='\u{2069}').collect();
    text.chars().filter(|c| c.is_control() && *c != '\n' || directions.contains(c)).collect()
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    [&[u8::try_from(payload.len()).unwrap(), 0, 0, sequence], payload].concat()
}

/// A text with its length before it.
fn counted(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn say(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    to.read_exact(&mut vec![0; bytes.len()]).unwrap();
}

/// A session in which every text is evil, up to where its client stops reading.
fn session(listener: &TcpListener) -> Connection {
    let address = listener.local_addr().unwrap();
    // The kernel keeps 15 bytes of the name of the thread that connects.
    let thread = std::thread::Builder::new().name("\x1b[2Jevil\u{9b}".to_owned());
    let mut client = thread.spawn(move || TcpStream::connect(address).unwrap()).unwrap().join().unwrap();
    let mut server = listener.accept().unwrap().0;
    let greeting = [b"\x0a", EVIL.as_bytes(), b"\0\x24\0\0\0saltsalt\0\xff\xff"].concat();
    say(&mut server, &mut client, &packet(0, &greeting));
    let capabilities = capability::PROTOCOL_41
        | capability::SECURE_CONNECTION
        | capability::CONNECT_WITH_DB
        | capability::PLUGIN_AUTH
        | capability::CONNECT_ATTRS;
    let attributes = ["_client_name", EVIL, "program_name", EVIL].map(counted).concat();
    let names =
        [EVIL.as_bytes(), b"\0\x01x", EVIL.as_bytes(), b"\0plugin\0", &counted_bytes(&attributes)].concat();
    let login = [&capabilities.to_le_bytes()[..], &[0; 28], &names].concat();
    say(&mut client, &mut server, &packet(1, &login));
    say(&mut server, &mut client, &packet(2, b"\0\0\0\x02\0\0\0"));
    let query = ["\x03SELECT `", EVIL, "` FROM ", EVIL, " WHERE a = '", EVIL, "'"].concat();
    say(&mut client, &mut server, &packet(0, query.as_bytes()));
    let mut connection = Connection { client, server };
    connection.stall();
    connection
}

fn counted_bytes(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn no_text_does_anything_to_a_terminal() {
    if !is_root("no_text_does_anything_to_a_terminal", "loading kernel programs") {
        return;
    }
    let place = Place::new();
    let log = place.path("log");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let options = ["live", "--plain", "--poll", "0.1", "--port", &port, "--log", log.to_str().unwrap()];
    let process = start(&place.observer(AS_THEY_ARE, &options));
    let connection = session(&listener);
    process.wait_stdout("the stall", |line| line.contains("  notice  ").then_some(())).unwrap();

    // The same on a screen, with the page of the connection and what it asked for.
    let words = place.observer(AS_THEY_ARE, &["live", "--poll", "0.1", "--port", &port]);
    let mut screen = Pty::spawn(pty::command(&words), 160, 40);
    screen.wait_for("has stopped reading");
    screen.type_keys("\r");
    screen.wait_for("window edge");
    let contents = screen.contents();
    assert_eq!(controls(&contents), "", "{contents}");
    screen.type_keys("q");
    screen.wait_for_end();

    let lines = process.stdout.all();
    drop(connection);
    process.wait_stdout("the end", |line| line.contains("has reset").then_some(())).unwrap();
    let talk = stop(process);
    for text in lines.iter().chain(&talk) {
        assert_eq!(controls(text), "", "{text:?}");
    }
    // All of it was there, and is in the log as it was, in another form.
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(controls(&text), "");
    let told: Vec<_> = whole_log(text.as_bytes()).into_iter().filter_map(said).collect();
    assert!(told.iter().any(|text| text == EVIL), "{told:?}");
    assert!(told.iter().filter(|text| text.contains("[2J")).count() >= 4, "{told:?}");
    for format in ["text", "markdown", "json"] {
        let words = place.observer(AS_THEY_ARE, &["report", "--format", format, log.to_str().unwrap()]);
        let output = command(&words).output().unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        assert_eq!(controls(&report), "", "{report}");
        assert!(report.contains("[2J"), "{report}");
    }
}

/// What somebody else has named.
fn said(line: Line) -> Option<String> {
    let Line::Event(Event { kind: EventKind::Socket(SocketEvent { kind, .. }), .. }) = line else {
        return None;
    };
    match kind {
        SocketEventKind::Greeting { version, .. } => Some(version),
        SocketEventKind::Login { account, .. } => account?.user,
        SocketEventKind::Statement(statement) => statement.text,
        SocketEventKind::State { process, .. } => Some(process?.comm),
        _ => None,
    }
}
