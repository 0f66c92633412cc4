use serde_json::{Value, json};

use super::*;
use crate::log::{Line, Reader};

/// A log with every kind of finding there is, which the tests of the log's format see to.
const DOCUMENT: &str = include_str!("../../../../docs/LOG-FORMAT.md");

fn findings() -> Vec<Finding> {
    let blocks = DOCUMENT.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let log: String = blocks.collect();
    let lines = Reader::new(log.as_bytes()).unwrap();
    lines
        .filter_map(|line| if let Line::Finding(finding) = line.unwrap() { Some(finding) } else { None })
        .collect()
}

fn named(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn names_and_severities_are_those_of_the_log() {
    for finding in findings() {
        let name = name(&finding.kind);
        assert_eq!(named(&finding)["finding"], name);
        assert!(FINDINGS.contains(&(name, finding.kind.severity())), "{name}");
    }
    for (kind, name) in VERDICTS {
        assert_eq!(named(kind), name);
    }
    assert_eq!(named(LossPoint::ALL), json!(PLACES));
}

#[test]
fn every_kind_of_finding_has_a_count_of_its_own() {
    let mut figures = Figures::default();
    for finding in findings() {
        figures.count(&finding);
    }
    assert!(figures.findings.iter().all(|count| *count > 0), "{:?}", figures.findings);
    assert!(figures.verdicts.iter().sum::<u64>() > 0);
    assert!(figures.unread_lost > 0);
}

#[test]
fn the_phases_are_in_the_order_of_their_declaration() {
    let phases =
        [Phase::Flowing, Phase::Stalled, Phase::Warning, Phase::Critical, Phase::Lost, Phase::ServerClosed];
    for (index, (phase, name)) in phases.into_iter().zip(PHASES).enumerate() {
        assert_eq!((phase as usize, format!("{phase:?}").to_lowercase()), (index, name.replace('_', "")));
    }
}
