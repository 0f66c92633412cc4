//! Plays stories and compares.

mod matching;
mod play;
mod template;

use serde::Deserialize;
use serde_json::{Map, Value};

use observer_core::{Config, Event, ServerTimeout, Timeout, TimeoutSource, Timestamp};

/// The beginning of all stories.
const BEGINNING: Timestamp = Timestamp::from_micros(1_714_831_200_000_000);

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it is about, for the reader of the file.
    #[serde(rename = "story")]
    _story: String,
    net_write_timeout: Option<u64>,
    #[serde(default)]
    server_timeouts: Vec<ServerTimeout>,
    max_connections: Option<usize>,
    #[serde(default)]
    defaults: Map<String, Value>,
    events: Vec<Map<String, Value>>,
    #[serde(default)]
    headlines: Vec<Headline>,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    findings: Vec<Map<String, Value>>,
    #[serde(default)]
    connections: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Headline {
    at: f64,
    text: String,
}

/// A story, ready to be played.
pub(crate) struct Story {
    config: Config,
    events: Vec<Event>,
    headlines: Vec<(Timestamp, String)>,
    end: Timestamp,
    findings: Vec<Map<String, Value>>,
    connections: Vec<Map<String, Value>>,
}

impl Story {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut config = Config::default();
        if let Some(seconds) = file.net_write_timeout {
            let duration = std::time::Duration::from_secs(seconds);
            config.net_write_timeout = Timeout { duration, source: TimeoutSource::Flag };
        }
        config.server_timeouts = file.server_timeouts;
        config.max_connections = file.max_connections.unwrap_or(config.max_connections);
        let mut events = Vec::new();
        for event in &file.events {
            for event in template::expand(event) {
                let json = template::event(&event, &file.defaults)?;
                let event: Event =
                    serde_json::from_value(json.clone()).map_err(|error| format!("{error} in {json}"))?;
                events.push(event);
            }
        }
        let last = events.iter().map(|event| event.at).max().ok_or("it has no events")?;
        Ok(Self {
            config,
            events,
            headlines: file.headlines.into_iter().map(|line| (moment(line.at), line.text)).collect(),
            end: last + std::time::Duration::from_secs_f64(file.end),
            findings: file.findings.iter().flat_map(template::expand).collect(),
            connections: file.connections.iter().flat_map(template::expand).collect(),
        })
    }
}

/// This many seconds after the beginning.
#[expect(clippy::cast_possible_truncation, reason = "stories are short")]
fn moment(seconds: f64) -> Timestamp {
    Timestamp::from_micros(BEGINNING.as_micros() + (seconds * 1e6).round() as i64)
}
