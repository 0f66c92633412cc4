//! Compares what a story expects with what came.

use serde_json::{Map, Value};

use observer_core::{Config, Connection, End, Finding, Session, Timestamp};

use super::{BEGINNING, moment};

/// Where `actual` is not as `expected`, which names only what matters.
pub(super) fn difference(expected: &Map<String, Value>, actual: &Value) -> Option<String> {
    expected.iter().find_map(|(key, expected)| {
        let actual = actual.get(key).unwrap_or(&Value::Null);
        match (expected, actual) {
            (Value::Object(expected), actual) => {
                difference(expected, actual).map(|inner| format!("{key}: {inner}"))
            }
            // A moment: seconds from the beginning in the story, RFC 3339 in the log.
            (Value::Number(seconds), Value::String(text)) => {
                let expected = moment(seconds.as_f64()?).to_string();
                (expected != *text).then(|| format!("{key}: expected {seconds}, got {}", relative(actual)))
            }
            (Value::Number(expected), Value::Number(actual)) => {
                let same = (expected.as_f64()? - actual.as_f64()?).abs() < 1e-6;
                (!same).then(|| format!("{key}: expected {expected}, got {actual}"))
            }
            // Some lines of many: each has to be there, as a whole or in part.
            (Value::Array(expected), Value::Array(actual)) => expected
                .iter()
                .find(|expected| !actual.iter().any(|actual| is_part_of(expected, actual)))
                .map(|missing| format!("{key}: no {missing} among {}", Value::Array(actual.clone()))),
            _ => (expected != actual).then(|| format!("{key}: expected {expected}, got {actual}")),
        }
    })
}

/// Whether a line holds this text, or a table these entries.
fn is_part_of(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(part), Value::String(whole)) => whole.contains(part),
        (Value::Object(part), whole) => {
            part.iter().all(|(key, value)| is_part_of(value, whole.get(key).unwrap_or(&Value::Null)))
        }
        _ => expected == actual,
    }
}

/// A finding as the log has it, with its sentence.
pub(super) fn finding(finding: &Finding) -> Value {
    let mut json = serde_json::to_value(finding).expect("a finding has a JSON form");
    json["sentence"] = finding.sentence().into();
    json
}

/// What is checked of a connection at `now`.
pub(super) fn connection(connection: &Connection, now: Timestamp, config: &Config) -> Value {
    let (probes, probe_acks) = connection.probes();
    let ending = connection.ending();
    serde_json::json!({
        "client": connection.flow().client,
        "phase": format!("{:?}", connection.phase()),
        "state": connection.state_word(),
        "opened": connection.opened_at(),
        "closed_since": connection.window_closed_since(),
        "probes": probes,
        "probe_acks": probe_acks,
        "zero_windows": connection.zero_windows(),
        "window": connection.window(),
        "clock": connection.clock(),
        "timeout": connection.timeout(),
        "idle_timeout": connection.idle_timeout(),
        "doubt": connection.timeout_doubt().map(|doubt| doubt.to_string()),
        "tls": connection.session().map(Session::is_tls),
        "compressed": connection.session().map(Session::is_compressed),
        "interactive": connection.session().map(Session::is_interactive),
        "abort_seen": connection.is_abort_seen(),
        "unread": connection.unread(),
        "queued": connection.queued(),
        "fails_at": connection.fails_at(),
        "ended_at": ending.map(|ending| ending.at),
        "ended_by": ending.and_then(|ending| ending.by),
        "reset": ending.map(|ending| ending.reset),
        "client_is_local": connection.is_local(End::Client),
        "server_is_local": connection.is_local(End::Server),
        "verdict": connection.verdict(now, config),
        "account": connection.account(),
        "statement": connection.statement(),
        "hidden": connection.hidden(),
        "in_flight": connection.result_in_flight(),
        "thread_id": connection.greeting().map(|greeting| greeting.thread_id),
    })
}

/// A finding or a connection for a message: moments as a story writes them.
pub(super) fn show(json: &Value) -> String {
    match json {
        Value::Object(object) => {
            let entries: Vec<_> = object
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} = {}", show(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        _ => relative(json),
    }
}

fn relative(json: &Value) -> String {
    match serde_json::from_value::<Timestamp>(json.clone()) {
        Ok(at) => {
            let seconds = if at >= BEGINNING { at.since(BEGINNING) } else { BEGINNING.since(at) };
            format!("{}{:.6}", if at < BEGINNING { "-" } else { "" }, seconds.as_secs_f64())
        }
        Err(_) => json.to_string(),
    }
}
