//! Makes whole events of what a story names.

use serde_json::{Map, Value, json};

use super::moment;

/// One table for each of `clients`.
pub(super) fn expand(table: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let Some(clients) = table.get("clients").and_then(Value::as_u64) else { return vec![table.clone()] };
    let one = |number: u64| {
        let mut one = table.clone();
        one.remove("clients");
        one.insert("client".to_owned(), json!(format!("10.0.0.2:{}", 50_000 + number)));
        if let Some(cookie) = table.get("cookie").and_then(Value::as_u64) {
            one.insert("cookie".to_owned(), json!(cookie + number * 2));
        }
        one
    };
    (0..clients).map(one).collect()
}

/// The event as the log has it.
pub(super) fn event(event: &Map<String, Value>, defaults: &Map<String, Value>) -> Result<Value, String> {
    let kind = event.get("event").and_then(Value::as_str).ok_or("an event without `event`")?;
    let at = event.get("at").and_then(Value::as_f64).ok_or("an event without `at`")?;
    let mut whole = match kind {
        "events_lost" | "degraded" | "sockets_polled" | "resumed" => json!({}),
        "socket" => merged(ends(), socket()),
        "wire" => merged(ends(), json!({ "sent_by_client": direction(), "sent_by_server": direction() })),
        _ => ends(),
    };
    if whole.get("client").is_some() {
        whole = merged(whole, Value::Object(defaults.clone()));
    }
    whole = merged(whole, Value::Object(event.clone()));
    // What was acknowledged is counted from sequence number 1000 on.
    if let Some(sent) = event.get("sent_by_client").filter(|sent| sent.get("ack").is_none()) {
        let acknowledged = sent.get("acknowledged").and_then(Value::as_u64).unwrap_or(0);
        whole["sent_by_client"]["ack"] = json!((acknowledged + 1000) % (1 << 32));
    }
    // A cookie of 0 stands for none.
    if whole["cookie"] == 0 {
        whole.as_object_mut().ok_or("not an object")?.remove("cookie");
    }
    let mut whole = merged(whole, json!({ "at": moment(at).to_string() }));
    if let Some(range) = whole.get_mut("since").and_then(Value::as_object_mut) {
        for end in range.values_mut() {
            *end = json!(moment(end.as_f64().ok_or("a moment is a number of seconds")?).to_string());
        }
    }
    if let Some(seconds) = event.get("sent_at").and_then(Value::as_f64) {
        whole["sent_at"] = json!(moment(seconds).to_string());
    }
    for direction in ["sent_by_client", "sent_by_server"] {
        if let Some(advance) =
            whole.get_mut(direction).and_then(|direction| direction.get_mut("last_ack_advance"))
            && let Some(seconds) = advance.as_f64()
        {
            *advance = json!(moment(seconds).to_string());
        }
    }
    Ok(whole)
}

fn merged(mut base: Value, over: Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                let old = base.remove(&key).unwrap_or(Value::Null);
                base.insert(key, merged(old, value));
            }
        }
        (base, over) => *base = over,
    }
    base
}

fn ends() -> Value {
    json!({ "client": "10.0.0.2:51844", "server": "10.0.0.1:3306" })
}

fn socket() -> Value {
    json!({
        "state": "established", "recv_queue": 0, "send_queue": 0, "timer": "none", "timer_expires": 0.0,
        "timer_retries": 0, "send_buffer": 3_000_000, "send_buffer_used": 0, "recv_buffer": 6_000_000,
        "recv_buffer_used": 0, "uid": 0, "inode": 1, "rto": 0.2, "rtt": 0.0001, "backoff": 0,
        "last_data_received": 0.0, "last_data_sent": 0.0, "bytes_acked": 0, "bytes_received": 0, "not_sent": 0,
    })
}

fn direction() -> Value {
    json!({
        "segments": 1, "sent": 0, "acknowledged": 0, "next_seq": 0, "ack": 0, "zero_windows": 0, "probes": 0,
        "probe_acks": 0,
    })
}
