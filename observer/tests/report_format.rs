//! docs/report.schema.json and docs/REPORT-FORMAT.md say what `observer report --format json` prints.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read is a failure")]

mod support;

use std::process::Command;

use observer_core::{Confidence, TimeoutSource, Timestamp, Vantage, VerdictKind};
use serde_json::{Map, Value, json};
use support::recording::write_log;
use support::story::{Story, degraded, events_lost};

const DOCUMENT: &str = include_str!("../../docs/REPORT-FORMAT.md");

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap()
}

/// What is wrong with `value` by `schema`, a line each. Of JSON Schema it knows the words that the schema uses, and
/// no others: those would be promises that nobody checks.
fn complaints(value: &Value, schema: &Value, whole: &Value, place: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().unwrap();
    for (word, rule) in schema {
        let mut complain = |what: &str| found.push(format!("{place}: {what}: {value}"));
        match word.as_str() {
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                complaints(value, whole.pointer(path).unwrap(), whole, place, found);
                return;
            }
            "type" => {
                let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !types.iter().any(|name| is_of_type(value, name.as_str().unwrap())) {
                    complain(&format!("not {rule}"));
                }
            }
            "const" if value != rule => complain(&format!("not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => complain("not in the list"),
            "minimum" if value.as_i64().is_some_and(|number| number < rule.as_i64().unwrap()) => {
                complain("too small");
            }
            // There is one pattern, that of times.
            "pattern" if value.as_str().is_some_and(|text| !is_time(text)) => complain("not a time"),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    complaints(item, rule, whole, &format!("{place}[{index}]"), found);
                }
            }
            "const" | "enum" | "minimum" | "pattern" | "$schema" | "$defs" | "title" | "description"
            // Fields are looked at below.
            | "required" | "additionalProperties" | "properties" => {}
            other => panic!("{other} is not checked"),
        }
    }
    if let Some(object) = value.as_object() {
        fields(object, schema, whole, place, found);
    }
}

fn fields(
    object: &Map<String, Value>,
    schema: &Map<String, Value>,
    whole: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !object.contains_key(required.as_str().unwrap()) {
            found.push(format!("{place}: {required} is missing"));
        }
    }
    for (name, value) in object {
        let place = format!("{place}.{name}");
        let known = schema.get("properties").and_then(|properties| properties.get(name));
        match known.or_else(|| schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => found.push(format!("{place} is not known")),
            Some(rule) => complaints(value, rule, whole, &place, found),
            None => {}
        }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("{name} is no type"),
    }
}

fn is_time(text: &str) -> bool {
    let time = serde_json::from_value::<Timestamp>(json!(text));
    time.is_ok_and(|time| time.to_string() == text)
}

fn assert_valid(report: &Value, what: &str) {
    let (schema, mut found) = (schema(), Vec::new());
    complaints(report, &schema, &schema, "", &mut found);
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// A report of the program.
fn report(args: &[&str]) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_observer")).args(["report", "--format", "json"]).args(args).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn real_reports_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let lost = Story::of("10.2.7.31:51844", 1000)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 66_200])
        .window_update(128_800, 800_000)
        .fin_by_server(128_900);
    let quiet = Story::of("[2001:db8::1]:51846", 1000).stream(1500, 3000, 1_200_000, 3_100_000);
    let mut events = [degraded(0)].to_vec();
    events.extend(lost.events);
    events.push(events_lost(129_000, 12));
    write_log(directory.path().join("one").as_path(), "db1", &events);
    write_log(directory.path().join("two").as_path(), "db2", &quiet.events);
    let log = std::fs::read_to_string(directory.path().join("one")).unwrap();
    std::fs::write(directory.path().join("torn"), &log[..log.len() - 20]).unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/observer-log-1.jsonl");
    for files in [
        &[path("one")][..],
        &[path("one"), path("two"), "--all".to_owned()],
        &[path("one"), path("torn")],
        &[path("torn")],
        &[fixture.to_owned(), "--all".to_owned()],
    ] {
        let args: Vec<_> = files.iter().map(String::as_str).collect();
        let report = report(&args);
        assert!(!report["connections"].as_array().unwrap().is_empty(), "{args:?}: {report:#}");
        assert_valid(&report, &format!("{args:?}"));
    }
}

fn example() -> Value {
    let json = DOCUMENT.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_example_is_valid_and_the_check_finds_what_is_not() {
    assert_valid(&example(), "the example");
    for (place, value) in [
        ("/schema", json!("observer.report/2")),
        ("/connections/0/opened_at", json!("yesterday")),
        ("/connections/0/verdict/kind", json!("bad luck")),
        ("/connections/0/stalls/0/probes", json!(-1)),
        ("/lost_events", json!(0.5)),
        ("/connections/0/abort", json!({ "earliest": null })),
        ("/source/files/0", json!({ "colour": "blue" })),
    ] {
        let (mut wrong, schema, mut found) = (example(), schema(), Vec::new());
        *wrong.pointer_mut(place).unwrap() = value;
        complaints(&wrong, &schema, &schema, "", &mut found);
        assert!(!found.is_empty(), "{place}");
    }
}

/// The names of all fields that a schema has, and the values of its lists.
fn names(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                found.extend(properties.keys().cloned());
            }
            for value in object.get("enum").and_then(Value::as_array).into_iter().flatten() {
                found.extend(value.as_str().map(str::to_owned));
            }
            object.values().for_each(|value| names(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_and_value_is_described() {
    let mut all = Vec::new();
    names(&schema(), &mut all);
    assert!(all.len() > 60, "{all:?}");
    let prose: String = DOCUMENT.split("```").step_by(2).collect();
    let missing: Vec<_> = all.iter().filter(|name| !prose.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
}

/// The names of an enum's variants, which serde tells when it does not find one.
fn variants<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let error = serde_json::from_value::<T>(json!("?")).unwrap_err().to_string();
    error.split("expected ").nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_lists_of_the_schema_are_those_of_the_program() {
    let schema = schema();
    for (place, variants) in [
        ("/$defs/verdict_kind/enum", variants::<VerdictKind>()),
        ("/$defs/connection/properties/verdict/properties/confidence/enum", variants::<Confidence>()),
        ("/$defs/connection/properties/seen_at/items/enum", variants::<Vantage>()),
        (
            "/$defs/connection/properties/net_write_timeout/properties/source/enum",
            variants::<TimeoutSource>(),
        ),
    ] {
        assert_eq!(schema.pointer(place).unwrap(), &json!(variants), "{place}");
    }
}
