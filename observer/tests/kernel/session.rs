//! What is told of a session: its login, its commands and their answers, errors that nobody asked for, and whether its
//! end cut off a result.

use std::net::Ipv4Addr;

use observer::source::live::LiveOptions;
use observer_core::{Account, End, SocketEventKind, Vantage, capability};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{GREETING, Observed, connect, listen, run};

const BOTH: [Vantage; 2] = [Vantage::Client, Vantage::Server];
pub(crate) const PLAIN: u32 = capability::PROTOCOL_41 | capability::DEPRECATE_EOF;
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const ROW: &[u8] = b"\x0avalue ten!";
const END: &[u8] = b"\xfe\0\0\x02\0\0\0";

/// A MySQL packet of this.
pub(crate) fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    [&[u8::try_from(payload.len()).unwrap(), 0, 0, sequence], payload].concat()
}

/// A packet in a compressed one, as it is.
fn stored(sequence: u8, packet: &[u8]) -> Vec<u8> {
    [&[u8::try_from(packet.len()).unwrap(), 0, 0, sequence, 0, 0, 0], packet].concat()
}

/// Both ends of a connection, and who observes it.
pub(crate) struct Session {
    pub(crate) told: Observed,
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

impl Session {
    /// Opened, greeted, and logged in with these capabilities.
    async fn begin(capabilities: u32) -> Self {
        let user: &[u8] = if capabilities & capability::SSL == 0 { b"app\0" } else { b"" };
        Self::begin_with(LiveOptions::default(), capabilities, user).await
    }

    /// The same, with options and with this behind what is fixed in the login.
    pub(crate) async fn begin_with(options: LiveOptions, capabilities: u32, names: &[u8]) -> Self {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let told = Observed::start_with(&listener, options).await;
        let (client, server) = connect(&listener).await;
        let mut session = Self { told, client, server };
        session.server_says(GREETING).await;
        let login = [&capabilities.to_le_bytes()[..], &[0; 28], names].concat();
        session.client_says(&packet(1, &login)).await;
        session
    }

    pub(crate) async fn client_says(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
        self.server.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
    }

    pub(crate) async fn server_says(&mut self, bytes: &[u8]) {
        self.server.write_all(bytes).await.unwrap();
        self.client.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
    }

    /// A statement and its answer.
    async fn ask(&mut self, statement: &str, answer: &[u8]) {
        self.client_says(&packet(0, &[b"\x03", statement.as_bytes()].concat())).await;
        self.server_says(answer).await;
    }

    /// The server closes. What the session was told to do, in order, at each end.
    async fn end(mut self) -> [Vec<SocketEventKind>; 2] {
        self.server.shutdown().await.unwrap();
        for seen_at in BOTH {
            let is_fin = |kind: &_| matches!(kind, SocketEventKind::Fin { by: End::Server, .. });
            self.told.until_told(seen_at, "the server's FIN", is_fin).await;
        }
        BOTH.map(|seen_at| {
            let here = self.told.sockets().filter(|event| event.socket.seen_at == seen_at);
            let of_session = |kind: &SocketEventKind| {
                matches!(
                    kind,
                    SocketEventKind::Login { .. }
                        | SocketEventKind::Command { .. }
                        | SocketEventKind::Reply { .. }
                        | SocketEventKind::ServerError { .. }
                        | SocketEventKind::Fin { by: End::Server, .. }
                )
            };
            here.map(|event| event.kind.clone()).filter(of_session).collect()
        })
    }
}

fn login(capabilities: u32, tls: bool) -> SocketEventKind {
    let user = Some("app".to_owned()).filter(|_| !tls);
    let account = user.map(|user| Box::new(Account { user: Some(user), ..Account::default() }));
    SocketEventKind::Login { capabilities, tls, account }
}

fn command(statement: &str) -> SocketEventKind {
    let length = u32::try_from(statement.len()).unwrap() + 1;
    SocketEventKind::Command { length, text: format!("\u{3}{statement}") }
}

fn reply(ok: bool) -> SocketEventKind {
    SocketEventKind::Reply { ok }
}

/// Checks what was told at both ends: all of this, and a FIN that tells whether it cut off a result.
fn assert_told(told: [Vec<SocketEventKind>; 2], expected: &[SocketEventKind], ends_in_result: Option<bool>) {
    for told in told {
        let (last, told) = told.split_last().unwrap();
        assert_eq!(told, expected);
        assert!(
            matches!(last, SocketEventKind::Fin { in_result, .. } if *in_result == ends_in_result),
            "{last:?}, not {ends_in_result:?}"
        );
    }
}

#[test]
fn commands_are_told_with_their_answers() {
    run("commands_are_told_with_their_answers", async {
        let mut session = Session::begin(PLAIN).await;
        session.server_says(&packet(2, OK)).await;
        let (set, wrong) = ("SET net_write_timeout=5", "SET net_write_timeout=x");
        session.ask("SELECT 'one that is not told'", &packet(1, OK)).await;
        session.ask(set, &packet(1, OK)).await;
        session.ask("SELECT 'another one'", &packet(1, OK)).await;
        session.ask(wrong, &packet(1, b"\xff\xd0\x04#42000wrong")).await;
        session.client_says(&packet(0, b"\x1f")).await;
        session.server_says(&packet(1, OK)).await;
        session.client_says(&packet(0, b"\x01")).await;
        let of_one_byte = |text: &str| SocketEventKind::Command { length: 1, text: text.to_owned() };
        let expected = [
            login(PLAIN, false),
            command(set),
            reply(true),
            command(wrong),
            reply(false),
            of_one_byte("\u{1f}"),
            reply(true),
            of_one_byte("\u{1}"),
        ];
        // Whether COM_QUIT is a command without an answer cannot be told from the server's bytes.
        assert_told(session.end().await, &expected, None);
    });
}

/// Attributes stand before the statement, in binary: they are passed over and never told.
#[test]
fn a_set_behind_attributes_is_told_without_them() {
    run("a_set_behind_attributes_is_told_without_them", async {
        let capabilities = PLAIN | capability::QUERY_ATTRIBUTES;
        let mut session = Session::begin(capabilities).await;
        let set = "SET net_write_timeout=5";
        // One attribute, not null, a string by the name of `trace`.
        let attributes: &[u8] = b"\x01\x01\0\x01\xfe\0\x05trace\x06secret";
        let statement = [b"\x03", attributes, set.as_bytes()].concat();
        session.client_says(&packet(0, &statement)).await;
        session.server_says(&packet(1, OK)).await;
        let length = u32::try_from(statement.len()).unwrap();
        let told = SocketEventKind::Command { length, text: format!("\u{3}{set}") };
        assert_told(session.end().await, &[login(capabilities, false), told, reply(true)], None);
    });
}

#[test]
fn the_command_behind_set_statement_is_told_without_its_text() {
    run("the_command_behind_set_statement_is_told_without_its_text", async {
        let mut session = Session::begin(PLAIN).await;
        let statement = "SET STATEMENT net_write_timeout=5 FOR SELECT 1";
        session.ask(statement, &packet(1, OK)).await;
        session.ask("SELECT 'a secret'", &packet(1, OK)).await;
        session.ask("SELECT 'another one'", &packet(1, OK)).await;
        let next = SocketEventKind::Command { length: 18, text: String::new() };
        let expected = [login(PLAIN, false), command(statement), reply(true), next];
        assert_told(session.end().await, &expected, None);
    });
}

#[test]
fn an_error_that_nobody_asked_for_is_told() {
    run("an_error_that_nobody_asked_for_is_told", async {
        let mut session = Session::begin(PLAIN).await;
        session.ask("SELECT 1", &packet(1, b"\xff\x28\x04#42000an answer")).await;
        session.server_says(&packet(0, b"\xff\xbf\x0f#HY000inactivity")).await;
        let expected = [login(PLAIN, false), SocketEventKind::ServerError { code: 4031 }];
        assert_told(session.end().await, &expected, Some(false));
    });
}

#[test]
fn a_server_may_refuse_instead_of_greeting() {
    run("a_server_may_refuse_instead_of_greeting", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (_client, mut server) = connect(&listener).await;
        server.write_all(&packet(0, b"\xff\x10\x04#08004Too many connections")).await.unwrap();
        for seen_at in BOTH {
            told.until_told(seen_at, "the error", |kind| {
                *kind == SocketEventKind::ServerError { code: 1040 }
            })
            .await;
        }
    });
}

#[test]
fn the_end_of_the_stream_tells_whether_a_result_was_cut_off() {
    run("the_end_of_the_stream_tells_whether_a_result_was_cut_off", async {
        let rows = [packet(1, b"\x01"), packet(2, &[b'c'; 40]), packet(3, ROW).repeat(100)].concat();
        for (end, cut_off) in [(packet(4, END), false), (packet(4, ROW), true)] {
            let mut session = Session::begin(PLAIN).await;
            session.ask("SELECT a FROM b", &[rows.clone(), end].concat()).await;
            assert_told(session.end().await, &[login(PLAIN, false)], Some(cut_off));
        }
    });
}

#[test]
fn under_tls_nothing_is_looked_at() {
    run("under_tls_nothing_is_looked_at", async {
        let capabilities = PLAIN | capability::SSL;
        let mut session = Session::begin(capabilities).await;
        // It would be told, were it not for TLS.
        session.ask("SET net_write_timeout=5", &packet(3, ROW).repeat(100)).await;
        assert_told(session.end().await, &[login(capabilities, true)], None);
    });
}

#[test]
fn what_a_compressed_session_stores_as_it_is_is_told() {
    run("what_a_compressed_session_stores_as_it_is_is_told", async {
        let capabilities = PLAIN | capability::COMPRESS;
        let mut session = Session::begin(capabilities).await;
        let set = "SET net_write_timeout=5";
        let statement = packet(0, &[b"\x03", set.as_bytes()].concat());
        session.client_says(&stored(0, &statement)).await;
        session.server_says(&stored(1, &packet(1, OK))).await;
        session.server_says(&stored(2, &packet(0, b"\xff\xbf\x0f#HY000inactivity"))).await;
        let error = SocketEventKind::ServerError { code: 4031 };
        let expected = [login(capabilities, false), command(set), reply(true), error];
        assert_told(session.end().await, &expected, Some(false));
    });
}
