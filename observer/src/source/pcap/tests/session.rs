//! What is told of MySQL's protocol.

use observer_core::{Account, End, SocketEventKind};

use super::files::Pcap;
use super::talk::{GREETING, SECOND, Talk, login, packet};
use super::{Reader, options, tell, told};
use crate::source::pcap::segment::{ACK, FIN};

use End::{Client, Server};

const OK: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";
const END_OF_RESULT: &[u8] = b"\x07\0\0\x09\xfe\0\0\x22\0\0\0";

/// What is told after the handshake.
fn session(talk: &Talk) -> Vec<SocketEventKind> {
    told(&tell(talk)).split_off(4)
}

fn in_result(talk: &mut Talk) -> Option<bool> {
    talk.send(Server, ACK | FIN, b"");
    match session(talk).pop().unwrap() {
        SocketEventKind::Fin { by: Server, in_result, .. } => in_result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn greeting_and_login_are_told() {
    let events = told(&tell(&Talk::new().logged_in()));
    let SocketEventKind::Greeting { version, thread_id, capabilities } = &events[2] else {
        panic!("{events:?}")
    };
    assert_eq!((version.as_str(), *thread_id, *capabilities), ("9.7.4", 36, Some(0xdfff_f7ff)));
    let account = Account { user: Some("app".into()), ..Account::default() };
    let account = Some(Box::new(account));
    assert_eq!(events[3], SocketEventKind::Login { capabilities: 0x0100_8205, tls: false, account });
}

#[test]
fn a_command_that_changes_the_session_is_told_with_its_reply() {
    let mut talk = Talk::new().logged_in();
    for (text, reply) in [
        (&b"\x03SELECT 1"[..], OK),
        (b"\x03SET net_write_timeout=9", OK),
        (b"\x03SET wait_timeout=x", b"\x0e\0\0\x01\xff\xd0\x04#42000wrong"),
    ] {
        talk.say(Client, &packet(0, text));
        talk.say(Server, reply);
    }
    let command = |length, text: &str| SocketEventKind::Command { length, text: text.into() };
    let expected = [
        command(24, "\u{3}SET net_write_timeout=9"),
        SocketEventKind::Reply { ok: true },
        command(19, "\u{3}SET wait_timeout=x"),
        SocketEventKind::Reply { ok: false },
    ];
    assert_eq!(session(&talk), expected);
}

#[test]
fn a_set_behind_attributes_is_told_without_them() {
    let mut talk = Talk::new().logged_in();
    let attributes = b"\x02\x01\0\x01\xfe\0\x04user\x03\0\x01n\x05alice\x01\x02\x03\x04";
    talk.say(Client, &packet(0, &[b"\x03", &attributes[..], b"SET net_write_timeout=9"].concat()));
    talk.say(Server, OK);
    let [SocketEventKind::Command { length, text }, SocketEventKind::Reply { ok: true }] =
        &session(&talk)[..]
    else {
        panic!("{:?}", session(&talk))
    };
    assert_eq!((*length, text.as_str()), (49, "\u{3}SET net_write_timeout=9"));
}

#[test]
fn the_command_behind_a_set_statement_is_told_as_its_end() {
    let mut talk = Talk::new().logged_in();
    for text in [&b"\x03SET STATEMENT net_write_timeout=9 FOR SELECT 1"[..], b"\x03SELECT 2", b"\x03SELECT 3"]
    {
        talk.say(Client, &packet(0, text));
        talk.say(Server, OK);
    }
    let [set, reply, SocketEventKind::Command { text, .. }, again] = &session(&talk)[..] else {
        panic!("{:?}", session(&talk))
    };
    assert!(matches!(set, SocketEventKind::Command { text, .. } if text.contains("STATEMENT")));
    assert_eq!((reply, text.as_str()), (again, ""), "nothing is told of it but that it was there");
}

#[test]
fn what_a_server_still_sends_of_a_result_is_no_reply() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x03SELECT * FROM big"));
    talk.say(Server, &packet(1, b"\x05"));
    // The command and the data cross.
    let acknowledged = talk.next[Client as usize];
    talk.send(Client, ACK, &packet(0, b"\x03SET net_write_timeout=9"));
    let sent = std::mem::replace(&mut talk.next[Client as usize], acknowledged);
    talk.send(Server, ACK, &packet(1, b"\xff\xd0\x04#42000row"));
    talk.next[Client as usize] = sent;
    talk.say(Server, OK);
    assert_eq!(session(&talk).pop().unwrap(), SocketEventKind::Reply { ok: true });
}

#[test]
fn a_command_that_is_sent_again_is_told_once() {
    let mut talk = Talk::new().logged_in();
    let command = packet(0, b"\x03SET net_write_timeout=9");
    talk.say(Client, &command);
    let length = u32::try_from(command.len()).unwrap();
    talk.wait(SECOND / 4);
    talk.segment(Client, talk.next[Client as usize].wrapping_sub(length), ACK, &command);
    assert_eq!(session(&talk).len(), 1);
}

#[test]
fn behind_tls_nothing_is_looked_for() {
    let mut talk = Talk::new().opened();
    talk.say(Server, GREETING);
    talk.say(Client, &[&[32, 0, 0, 1, 5, 0x8a, 0, 1][..], &[0; 28]].concat());
    talk.say(Client, &packet(0, b"\x03SET net_write_timeout=9"));
    talk.say(Server, &packet(0, b"\xff\xbf\x0f#HY000bye"));
    talk.send(Server, ACK | FIN, b"");
    let events = told(&tell(&talk)).split_off(3);
    let [SocketEventKind::Login { tls: true, .. }, SocketEventKind::Fin { in_result: None, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
}

#[test]
fn an_error_that_nobody_asked_for_is_told() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x03SELECT 1"));
    talk.say(Server, &packet(1, b"\xff\x28\x04#42000no"));
    assert_eq!(session(&talk), [], "the answer to a question");
    talk.wait(8 * SECOND);
    talk.say(Server, &packet(0, b"\xff\xbf\x0f#HY000The client was disconnected"));
    assert_eq!(session(&talk), [SocketEventKind::ServerError { code: 4031 }]);
}

#[test]
fn a_server_that_shuts_down_says_so_behind_the_rows() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x03SELECT * FROM big"));
    talk.say(
        Server,
        &[packet(8, b"\x03row"), packet(9, b"\xff\x1d\x04#08S01Server shutdown in progress")].concat(),
    );
    talk.send(Server, ACK | FIN, b"");
    let told = session(&talk);
    assert!(
        matches!(
            told[..],
            [SocketEventKind::ServerError { code: 1053 }, SocketEventKind::Fin { by: Server, .. }]
        ),
        "{told:?}"
    );
}

#[test]
fn a_fin_tells_whether_a_result_was_cut_off() {
    let mut talk = Talk::new().logged_in();
    talk.say(Client, &packet(0, b"\x03SELECT * FROM big"));
    talk.say(Server, &[b'x'; 2000]);
    assert_eq!(in_result(&mut talk.clone()), Some(true));
    talk.say(Server, END_OF_RESULT);
    assert_eq!(in_result(&mut talk.clone()), Some(false));

    // The end was seen, what came before it was not: still an end.
    talk.next[Server as usize] += 5000;
    talk.say(Server, &[&[b'x'; 100], END_OF_RESULT].concat());
    assert_eq!(in_result(&mut talk.clone()), Some(false));
    // The end of it was not captured.
    talk.next[Server as usize] += 5000;
    assert_eq!(in_result(&mut talk), None);
}

#[test]
fn a_connection_older_than_the_capture_has_a_session_too() {
    let mut talk = Talk::new().logged_in();
    talk.packets.clear();
    talk.say(Client, &packet(0, b"\x03SET net_write_timeout=9"));
    talk.say(Server, OK);
    talk.say(Client, b"\x01\0\0\0\x01");
    let events = told(&tell(&talk));
    let [_, SocketEventKind::Reply { ok: true }, SocketEventKind::Command { text, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(text, "\u{1}");
}

#[test]
fn a_server_on_another_port_is_found_by_its_greeting() {
    let elsewhere = "10.0.0.9:13306".parse().unwrap();
    let mut talk = Talk::between("10.0.0.5:41234".parse().unwrap(), elsewhere).opened();
    let found = |talk: &Talk| {
        let file = Pcap::default().file(talk);
        let mut reader = Reader::new(&file[..], options()).unwrap();
        assert_eq!(reader.by_ref().count(), 0);
        reader.server_elsewhere()
    };
    talk.say(Client, &login());
    talk.say(Server, b"\x10\0\0\0\x0anot a version\0\x24\0\0\0");
    assert_eq!(found(&talk), None);
    talk.say(Server, GREETING);
    assert_eq!(found(&talk), Some(elsewhere));
}
