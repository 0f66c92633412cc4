//! What holds whatever the events are: they come from networks, logs and captures, and so from anybody.

#[path = "properties/events.rs"]
mod events;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use observer_core::{
    Config, Connection, ConnectionId, Event, EventKind, Finding, FindingKind, Phase, SourceEvent, Timestamp,
    Tracker,
};

/// An event, or time that passes without one.
#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    Time(Timestamp),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        9 => events::event().prop_map(Step::Event),
        1 => events::moment().prop_map(Step::Time),
    ];
    // Mostly in order, as a source would deliver; now and then anything.
    (prop::collection::vec(step, 0..100), any::<bool>()).prop_map(|(mut steps, sorted)| {
        if sorted {
            steps.sort_by_key(|step| match step {
                Step::Event(event) => event.at,
                Step::Time(at) => *at,
            });
        }
        steps
    })
}

fn config() -> impl Strategy<Value = Config> {
    (1_usize..8, 0_u64..400, -0.5_f64..1.5, -0.5_f64..1.5).prop_map(
        |(connections, debounce, warning, critical)| Config {
            max_connections: connections,
            debounce: Duration::from_millis(debounce),
            warning_share: warning,
            critical_share: critical,
            ..Config::default()
        },
    )
}

fn play(config: &Config, steps: &[Step], mut check: impl FnMut(&Tracker)) -> Vec<Finding> {
    let mut tracker = Tracker::new(config.clone());
    let mut findings = Vec::new();
    for step in steps {
        match step {
            Step::Event(event) => {
                tracker.handle_event(event);
            }
            Step::Time(now) => {
                tracker.handle_timeout(*now);
                assert!(tracker.poll_timeout().is_none_or(|due| due > *now), "a deadline was left behind");
            }
        }
        check(&tracker);
        findings.extend(std::iter::from_fn(|| tracker.poll()));
    }
    findings
}

proptest! {
    #[test]
    fn any_events_leave_it_sound_and_small(config in config(), steps in steps()) {
        play(&config, &steps, |tracker| {
            assert!(tracker.len() <= config.max_connections);
            assert_eq!(tracker.len(), tracker.connections().count());
            let unsettled = tracker
                .connections()
                .filter(|connection| !matches!(connection.phase(), Phase::Flowing | Phase::Closed));
            assert_eq!(tracker.unsettled().count(), unsettled.count());
            for connection in tracker.connections() {
                let verdict = connection.verdict(connection.last_seen(), &config);
                let lines = verdict.evidence.iter().chain(&verdict.missing).chain(&verdict.advice);
                for line in lines.chain(verdict.ruled_out.iter().map(|not| &not.because)).chain([&verdict.sentence]) {
                    assert!(!line.contains(char::is_control), "{line:?}");
                }
                assert!(verdict.ruled_out.iter().all(|not| not.kind != verdict.kind), "{verdict:?}");
                assert_eq!(tracker.connection(connection.id()).map(Connection::id), Some(connection.id()));
            }
        });
    }

    #[test]
    fn time_never_runs_backwards_and_the_end_is_the_end(config in config(), steps in steps()) {
        let mut last: HashMap<ConnectionId, (Timestamp, bool)> = HashMap::new();
        let mut verdicts = HashSet::new();
        for finding in play(&config, &steps, |_| {}) {
            let Some(id) = finding.connection else { continue };
            let (at, over) = last.entry(id).or_insert((finding.at, false));
            prop_assert!(*at <= finding.at, "{finding:?} comes after {at}");
            let is_verdict = matches!(finding.kind, FindingKind::Verdict(_));
            prop_assert!(!*over || is_verdict, "{finding:?} comes after the end");
            prop_assert!(!is_verdict || verdicts.insert(id), "{finding:?} comes a second time");
            *at = finding.at;
            *over |= is_verdict || matches!(finding.kind, FindingKind::Closed { .. });
        }
    }

    #[test]
    fn a_year_without_events_takes_few_steps(config in config(), steps in steps()) {
        let mut tracker = Tracker::new(config.clone());
        let mut last = Timestamp::EPOCH;
        for step in &steps {
            if let Step::Event(event) = step {
                last = last.max(event.at);
                tracker.handle_event(event);
            }
        }
        // The phases of a stall, and those of the end.
        let most = 16 * config.max_connections.max(1);
        for _ in 0..most {
            match tracker.poll_timeout().filter(|due| *due < last + Duration::from_secs(366 * 24 * 3600)) {
                Some(due) => tracker.handle_timeout(due),
                None => return Ok(()),
            }
        }
        prop_assert!(false, "more than {most} deadlines for {} connections", tracker.len());
    }

    #[test]
    fn the_same_events_give_the_same_findings(config in config(), steps in steps()) {
        prop_assert_eq!(play(&config, &steps, |_| {}), play(&config, &steps, |_| {}));
    }

    /// As a live observer does it: timers at any moment, events in between, and those that passed in the record.
    #[test]
    fn a_record_gives_the_findings_of_the_one_who_kept_it(config in config(), steps in steps()) {
        let record: Vec<_> = steps
            .iter()
            .map(|step| match step {
                Step::Event(event) => Step::Event(event.clone()),
                Step::Time(at) => {
                    let kind = EventKind::Source(SourceEvent::TimePassed);
                    Step::Event(Event { at: *at, kind })
                }
            })
            .collect();
        prop_assert_eq!(play(&config, &steps, |_| {}), play(&config, &record, |_| {}));
    }

    /// Where nothing comes late, timers in between change nothing, and so need not be in the record.
    #[test]
    fn events_in_order_need_no_timers(config in config(), mut steps in steps()) {
        let at = |step: &Step| match step {
            // A timer comes before what happens at the same moment.
            Step::Event(event) => (event.at, true),
            Step::Time(at) => (*at, false),
        };
        // Who was stopped has let nothing pass.
        let resumes = |event: &Event| matches!(event.kind, EventKind::Source(SourceEvent::Resumed { .. }));
        steps.retain(|step| !matches!(step, Step::Event(event) if resumes(event)));
        steps.sort_by_key(at);
        let end = Step::Time(Timestamp::from_micros(i64::MAX));
        let events = steps.iter().filter(|step| matches!(step, Step::Event(_))).cloned();
        let events: Vec<_> = events.chain([end.clone()]).collect();
        let moments: HashSet<_> =
            events.iter().map(|step| at(step).0).collect();
        steps.retain(|step| matches!(step, Step::Event(_)) || !moments.contains(&at(step).0));
        steps.push(end);
        prop_assert_eq!(play(&config, &steps, |_| {}), play(&config, &events, |_| {}));
    }

    #[test]
    fn sentences_are_lines_without_controls(config in config(), steps in steps()) {
        for finding in play(&config, &steps, |_| {}) {
            let sentence = finding.sentence();
            prop_assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    }

    #[test]
    fn an_event_comes_back_from_the_log_as_it_was(event in events::event()) {
        let text = serde_json::to_string(&event).unwrap();
        let read: Event = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
        prop_assert_eq!(read, event);
    }
}
