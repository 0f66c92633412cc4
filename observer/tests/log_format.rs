//! docs/LOG-FORMAT.md says what the program writes: every example is read, every field is described.

#![expect(clippy::unwrap_used, reason = "an example that cannot be read is a failure")]

use std::collections::BTreeSet;

use observer::log::{Line, Reader};
use observer_core::{
    FindingKind, LossPoint, Severity, SocketEventKind, SourceEvent, StatementKind, TcpState, TimeoutSource,
    TimerKind, Vantage,
};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../docs/LOG-FORMAT.md");

/// The lines within the blocks of JSON.
fn examples() -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).collect()
}

/// The examples as one log, read back.
fn read() -> Vec<Line> {
    let log = examples().join("\n") + "\n";
    Reader::new(log.as_bytes()).unwrap().map(Result::unwrap).collect()
}

/// All names of fields in a value.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                fields(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, names)),
        _ => {}
    }
}

/// What `line` says of itself in the field `name`.
fn kind(line: &str, name: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).unwrap();
    value[name].as_str().map(str::to_owned)
}

#[test]
fn every_example_is_read() {
    assert_eq!(read().len() + 1, examples().len());
}

#[test]
fn an_example_holds_every_field_of_its_kind() {
    for (line, example) in read().iter().zip(&examples()[1..]) {
        let mut written = match line {
            Line::Header(_) => unreachable!("the header is not a line of the iterator"),
            Line::Gap(gap) => panic!("an example is not understood: {gap:?}"),
            Line::Event(event) => serde_json::to_value(event).unwrap(),
            Line::Finding(finding) => {
                let mut value = serde_json::to_value(finding).unwrap();
                value["severity"] = serde_json::to_value(finding.kind.severity()).unwrap();
                value
            }
        };
        let example: Value = serde_json::from_str(example).unwrap();
        written["type"] = example["type"].clone();
        assert_eq!(written, example, "the example is not what would be written");
    }
}

#[test]
fn every_field_is_described() {
    let mut names = BTreeSet::new();
    for example in examples() {
        fields(&serde_json::from_str(example).unwrap(), &mut names);
    }
    assert!(names.len() > 70, "{names:?}");
    let prose: String = DOCUMENT.split("```").step_by(2).collect();
    let missing: Vec<_> = names.iter().filter(|name| !prose.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
}

/// The names of an enum's variants, which serde tells when it does not find one.
fn variants<T: serde::de::DeserializeOwned + std::fmt::Debug>(unknown: Value) -> Vec<String> {
    let error = serde_json::from_value::<T>(unknown).unwrap_err().to_string();
    let expected = error.split("expected ").nth(1).unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_has_an_example() {
    let found = |name| examples().iter().filter_map(|line| kind(line, name)).collect::<BTreeSet<_>>();
    let (events, findings) = (found("event"), found("finding"));
    let mut kinds = variants::<SocketEventKind>(json!({ "event": "?" }));
    kinds.extend(variants::<SourceEvent>(json!({ "event": "?" })));
    assert!(kinds.len() > 15, "{kinds:?}");
    assert_eq!(events, kinds.into_iter().collect(), "the kinds of events");
    let kinds = variants::<FindingKind>(json!({ "finding": "?" }));
    assert_eq!(findings, kinds.into_iter().collect(), "the kinds of findings");
}

#[test]
fn every_value_of_a_list_is_named() {
    let lists = [
        variants::<TcpState>(json!("?")),
        variants::<TimerKind>(json!("?")),
        variants::<LossPoint>(json!("?")),
        variants::<TimeoutSource>(json!("?")),
        variants::<Vantage>(json!("?")),
        variants::<Severity>(json!("?")),
        variants::<StatementKind>(json!("?")),
    ];
    for name in lists.iter().flatten() {
        assert!(DOCUMENT.contains(&format!("`{name}`")), "{name}");
    }
    assert!(lists.iter().all(|list| list.len() >= 3), "{lists:?}");
}
