//! What is told of what a client waits for: the same as by the kernel programs.

use observer_core::{End, Event, SocketEventKind, Statement, StatementKind};

use super::files::Pcap;
use super::talk::{SECOND, Talk, login, packet};
use super::{Reader, options, read, told};
use crate::mysql::Statements;
use crate::source::pcap::PcapOptions;
use crate::source::pcap::segment::ACK;

use End::{Client, Server};

const COLUMNS: &[u8] = b"\x01\0\0\x01\x01";

/// The client closes its window, which is probed.
fn stall(talk: &mut Talk) {
    talk.window[Client as usize] = 0;
    talk.send(Client, ACK, b"");
    talk.wait(SECOND);
    talk.probe(Server);
    talk.send(Client, ACK, b"");
}

fn statements(talk: &Talk) -> Vec<Statement> {
    statements_in(&read(&Pcap::default().file(talk)))
}

fn statements_in(events: &[Event]) -> Vec<Statement> {
    let statement = |kind| if let SocketEventKind::Statement(told) = kind { Some(*told) } else { None };
    told(events).into_iter().filter_map(statement).collect()
}

#[test]
fn a_statement_is_told_once_when_its_client_stands_still() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x03SELECT 'the one before'"));
    talk.say(Server, COLUMNS);
    talk.say(Client, &packet(0, b"\x03SELECT a FROM t WHERE b = 'secret'"));
    talk.say(Server, COLUMNS);
    stall(&mut talk);
    stall(&mut talk);
    let told = statements(&talk);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].text.as_deref(), Some("SELECT a FROM t WHERE b = ?"));
    assert_eq!((told[0].command, told[0].length), (StatementKind::Query, 35));
    for (statements, text) in
        [(Statements::Raw, Some("SELECT a FROM t WHERE b = 'secret'")), (Statements::None, None)]
    {
        let options = PcapOptions { statements, ..options() };
        let file = Pcap::default().file(&talk);
        let events: Vec<_> = Reader::new(&file[..], options).unwrap().map(Result::unwrap).collect();
        assert_eq!(statements_in(&events).pop().and_then(|told| told.text).as_deref(), text);
    }
}

#[test]
fn a_prepared_statement_is_known_by_its_number() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x16SELECT ? LIMIT 5"));
    talk.say(Server, b"\x0c\0\0\x01\0\x05\0\0\0\x01\0\x01\0\0\0\0");
    talk.say(Client, &packet(0, b"\x17\x05\0\0\0\0\x01\0\0\0"));
    talk.say(Server, COLUMNS);
    stall(&mut talk);
    let told = statements(&talk);
    assert_eq!(told[0].text.as_deref(), Some("SELECT ? LIMIT ?"));
    // Another one is executed.
    talk.window[Client as usize] = 500;
    talk.say(Client, &packet(0, b"\x17\x04\0\0\0\0\x01\0\0\0"));
    talk.say(Server, COLUMNS);
    stall(&mut talk);
    let told = statements(&talk);
    assert_eq!((told.len(), told[1].command, told[1].text.as_deref()), (2, StatementKind::Execute, None));
}

#[test]
fn nothing_is_told_of_statements_under_tls() {
    let mut talk = Talk::new().opened();
    talk.say(Server, super::talk::GREETING);
    let mut announcement = login()[..36].to_vec();
    announcement[0] = 32;
    announcement[5] |= 0x08;
    talk.say(Client, &announcement);
    talk.say(Client, &packet(0, b"\x03SELECT 1"));
    stall(&mut talk);
    assert_eq!(statements(&talk), []);
}
