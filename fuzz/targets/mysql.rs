//! Takes what both ends of a session say for every packet it can be, and judges what was understood.

#![no_main]

use observer_core::{
    Config, End, Event, EventKind, Flow, Greeting, SocketEvent, SocketEventKind, SocketRef, Statement,
    Timestamp, Vantage,
};
use observer_fuzz::Judge;
use observer_fuzz::mysql::{
    Command, Kept, Login, Packet, Reply, Statements, Tail, greeting, keepable, lone_error, prepares,
    statement, statement_id, stored, tellable, without_literals,
};

libfuzzer_sys::fuzz_target!(|conversation: &[u8]| {
    let mut judge = Judge::new(Config::default());
    let mut tail = Tail::default();
    let mut capabilities = None;
    for (number, (by, said)) in (0..).zip(messages(conversation)) {
        let heard = match by {
            End::Client => from_client(said),
            End::Server => from_server(said, &mut tail, capabilities),
        };
        for kind in heard {
            if let SocketEventKind::Login { capabilities: chosen, .. } = kind {
                capabilities = Some(chosen);
            }
            judge.take(&event(number, kind));
        }
    }
    judge.finish();
});

/// Two bytes before each message: who says it, by the highest bit, and its length.
fn messages(mut conversation: &[u8]) -> impl Iterator<Item = (End, &[u8])> {
    std::iter::from_fn(move || {
        let (&[high, low], rest) = conversation.split_first_chunk()?;
        let by = if high & 0x80 == 0 { End::Client } else { End::Server };
        let length = usize::from(u16::from_be_bytes([high & 0x7f, low])).min(rest.len());
        let (said, rest) = rest.split_at(length);
        conversation = rest;
        Some((by, said))
    })
}

fn from_client(said: &[u8]) -> Vec<SocketEventKind> {
    if let Some(packet) = Packet::first(said) {
        assert!(packet.payload.len() + packet.rest.len() < said.len(), "{packet:?}");
        tellable(packet.payload);
    }
    let login = Login::parse(said).map(|Login { capabilities, tls, account }| SocketEventKind::Login {
        capabilities,
        tls,
        account: account.map(Box::new),
    });
    let command =
        Command::parse(said).map(|Command { length, text }| SocketEventKind::Command { length, text });
    let statement = asked(said).map(|statement| SocketEventKind::Statement(Box::new(statement)));
    login.into_iter().chain(command).chain(statement).collect()
}

/// What is waited for, prepared by the same bytes or by none.
fn asked(said: &[u8]) -> Option<Statement> {
    let at = Timestamp::from_micros(1_714_831_200_000_000);
    let kept = keepable(said, false)?;
    assert!(kept.len() <= 256 && said.starts_with(kept));
    let last = Kept { at, bytes: kept, statement_id: statement_id(kept).unwrap_or(1) };
    for cut in [true, false] {
        without_literals(kept, cut);
    }
    for statements in [Statements::None, Statements::Raw] {
        let told = statement(last, None, statements)?;
        assert!(told.text.is_none() || statements == Statements::Raw, "{told:?}");
    }
    statement(last, prepares(kept).then_some(last), Statements::WithoutLiterals)
}

fn from_server(said: &[u8], tail: &mut Tail, capabilities: Option<u32>) -> Vec<SocketEventKind> {
    tail.push(said);
    tail.ends_a_result(capabilities);
    stored(said, 1);
    let greeting = greeting(said).map(|Greeting { version, thread_id, capabilities }| {
        SocketEventKind::Greeting { version, thread_id, capabilities }
    });
    let reply = Reply::parse(said).map(|reply| SocketEventKind::Reply { ok: reply.is_ok() });
    let error = lone_error(said).map(|code| SocketEventKind::ServerError { code });
    greeting.into_iter().chain(reply).chain(error).collect()
}

/// Heard on the wire, a second after the one before.
fn event(number: i64, kind: SocketEventKind) -> Event {
    let flow = Flow { client: ([192, 0, 2, 7], 40_000).into(), server: ([192, 0, 2, 1], 3306).into() };
    let socket = SocketRef { flow, seen_at: Vantage::Wire, cookie: None };
    let at = Timestamp::from_micros(1_714_831_200_000_000 + 1_000_000 * number);
    Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }
}
