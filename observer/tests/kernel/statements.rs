//! Who logs in, and what is told of what a client waits for.

use std::fs;

use aya::maps::{HashMap, Map, MapData};
use observer::mysql::Statements;
use observer::source::live::LiveOptions;
use observer_common::ConnectionState;
use observer_core::{Account, Connector, SocketEventKind, Statement, StatementKind, Vantage, capability};

use crate::harness::{fill, run};
use crate::session::{PLAIN, Session, packet};

const BOTH: [Vantage; 2] = [Vantage::Client, Vantage::Server];
const WHOLE: u32 = PLAIN
    | capability::CONNECT_WITH_DB
    | capability::SECURE_CONNECTION
    | capability::PLUGIN_AUTH
    | capability::CONNECT_ATTRS;
const SCRAMBLE: &[u8] = b"\x14a scramble, 20 bytes";

/// A session that says the last of these and gets an answer that it does not read.
async fn stalled(statements: Statements, capabilities: u32, said: &[(&[u8], &[u8])]) -> Session {
    let options = LiveOptions { statements, ..LiveOptions::default() };
    let mut session = Session::begin_with(options, capabilities, b"app\0").await;
    for (command, answer) in said {
        session.client_says(command).await;
        session.server_says(answer).await;
    }
    fill(&session.server).await;
    session
}

/// What is told of the statement at each end: the same.
async fn told(session: &mut Session) -> Statement {
    let mut told = Vec::new();
    for seen_at in BOTH {
        let is_statement = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Statement(_));
        session.told.until_told(seen_at, "the statement", is_statement).await;
        let statement = session.told.sockets().find_map(|event| match &event.kind {
            SocketEventKind::Statement(statement) if event.socket.seen_at == seen_at => Some(statement),
            _ => None,
        });
        told.extend(statement.cloned());
        // A probe shows that data waits: what for has been told before.
        let is_probe = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindowProbe { .. });
        session.told.until_told(seen_at, "a probe", is_probe).await;
        let here = session.told.sockets().filter(|event| event.socket.seen_at == seen_at);
        let kinds: Vec<_> = here.map(|event| &event.kind).collect();
        let place = |of: &dyn Fn(&SocketEventKind) -> bool| kinds.iter().position(|kind| of(kind));
        assert!(place(&is_statement) < place(&is_probe), "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| is_statement(kind)).count(), 1, "once");
    }
    assert_eq!(told[0].text, told[1].text);
    *told.remove(0)
}

#[test]
fn a_login_is_told_without_its_response() {
    run("a_login_is_told_without_its_response", async {
        let attributes = b"\x28\x0c_client_name\x07pymysql\x04_pid\x044711\x05extra\x01x";
        let names = [b"app\0", SCRAMBLE, b"shop\0", b"mysql_native_password\0", &attributes[..]].concat();
        let mut session = Session::begin_with(LiveOptions::default(), WHOLE, &names).await;
        let connector = Connector { name: Some("pymysql".into()), pid: Some(4711), ..Connector::default() };
        let account =
            Account { user: Some("app".into()), database: Some("shop".into()), connector: Some(connector) };
        for seen_at in BOTH {
            let is_it = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Login { account: Some(told), .. } if **told == account);
            session.told.until_told(seen_at, "the login", is_it).await;
        }
    });
}

#[test]
fn a_statement_is_told_when_its_client_stands_still() {
    run("a_statement_is_told_when_its_client_stands_still", async {
        let query = packet(0, b"\x03SELECT a FROM t WHERE b = 'secret' AND c IN (1, 2, 3)");
        let row = b"\x01\0\0\x01\x01";
        for (statements, text) in [
            (Statements::WithoutLiterals, Some("SELECT a FROM t WHERE b = ? AND c IN (?, …)")),
            (Statements::Raw, Some("SELECT a FROM t WHERE b = 'secret' AND c IN (1, 2, 3)")),
        ] {
            let mut session = stalled(statements, PLAIN, &[(&query, row)]).await;
            let told = told(&mut session).await;
            assert_eq!((told.command, told.text.as_deref()), (StatementKind::Query, text));
            assert_eq!((told.cut, told.cursor, told.in_result), (false, false, Some(true)));
        }
    });
}

#[test]
fn a_prepared_statement_is_told_with_its_text() {
    run("a_prepared_statement_is_told_with_its_text", async {
        let prepare = packet(0, b"\x16SELECT a FROM t WHERE b = ? LIMIT 7");
        let execute = packet(0, b"\x17\x05\0\0\0\x01\x01\0\0\0");
        let prepared = b"\x0c\0\0\x01\0\x05\0\0\0\x01\0\x01\0\0\0\0";
        let said = [(&prepare[..], &prepared[..]), (&execute, b"\x01\0\0\x01\x01")];
        let mut session = stalled(Statements::default(), PLAIN, &said).await;
        let told = told(&mut session).await;
        assert_eq!((told.command, told.cursor), (StatementKind::Execute, true));
        assert_eq!(told.text.as_deref(), Some("SELECT a FROM t WHERE b = ? LIMIT ?"));
    });
}

#[test]
fn nothing_is_told_of_statements_where_that_is_not_wanted_or_tls_hides_them() {
    run("nothing_is_told_of_statements_where_that_is_not_wanted_or_tls_hides_them", async {
        let query = packet(0, b"\x03SELECT a");
        let answer: (&[u8], &[u8]) = (&query, b"\x01\0\0\x01\x01");
        let begin = async |statements, capabilities, names: &[u8]| {
            let options = LiveOptions { statements, ..LiveOptions::default() };
            Session::begin_with(options, capabilities, names).await
        };
        for mut session in [
            begin(Statements::None, PLAIN, b"app\0").await,
            begin(Statements::Raw, PLAIN | capability::SSL, b"").await,
        ] {
            session.client_says(answer.0).await;
            session.server_says(answer.1).await;
            fill(&session.server).await;
            for seen_at in BOTH {
                let is_probe =
                    |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindowProbe { .. });
                session.told.until_told(seen_at, "a probe", is_probe).await;
            }
            assert!(!session.told.sockets().any(|event| matches!(event.kind, SocketEventKind::Statement(_))));
        }
    });
}

#[test]
fn what_is_not_wanted_is_not_kept_in_the_kernel_either() {
    run("what_is_not_wanted_is_not_kept_in_the_kernel_either", async {
        for (statements, marker, kept) in
            [(Statements::None, "not_wanted", false), (Statements::default(), "wanted", true)]
        {
            let query = packet(0, format!("\x03SELECT {marker}_by_this_test").as_bytes());
            let mut session = stalled(statements, PLAIN, &[(&query, b"\x01\0\0\x01\x01")]).await;
            let is_probe = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindowProbe { .. });
            for seen_at in BOTH {
                session.told.until_told(seen_at, "a probe", is_probe).await;
            }
            assert_eq!(is_in_the_kernel(format!(" {marker}_by").as_bytes()), kept, "{statements:?}");
        }
    });
}

/// Whether these bytes stand in a map of connections that this process has open.
fn is_in_the_kernel(bytes: &[u8]) -> bool {
    let files = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    // Other tests open and close files meanwhile, and their maps.
    let infos = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let ids = infos.filter_map(|info| {
        info.lines().find_map(|line| line.strip_prefix("map_id:"))?.trim().parse::<u32>().ok()
    });
    ids.filter_map(|id| MapData::from_id(id).ok()).any(|map| {
        let is_it = map.info().is_ok_and(|info| info.name_as_str() == Some("CONNECTIONS"));
        is_it && {
            let map: HashMap<_, u64, [u8; size_of::<ConnectionState>()]> =
                Map::LruHashMap(map).try_into().unwrap();
            map.iter().flatten().any(|(_, state)| state.windows(bytes.len()).any(|part| part == bytes))
        }
    })
}
