//! What one line says.
//!
//! A line is looked at by its tags first, so that an error speaks of the kind it is of. Within a version of the format
//! kinds are added: a line of an unknown kind, or with an unknown word in one of its fields, is not wrong. It is not
//! guessed at either, but given as a [`Gap`](super::Gap).

use std::borrow::Cow;

use anyhow::Context as _;
use observer_core::{Event, EventKind, Finding, SocketEvent, SocketEventKind, SourceEvent, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use super::{Header, Line, SCHEMA};

/// A line, or why it says nothing to this program.
pub(super) enum Parsed {
    /// It was understood.
    Line(Line),
    /// It is of a kind that this program does not know.
    Unknown(String),
}

/// The fields that say what the others are.
#[derive(Deserialize)]
struct Tags<'a> {
    #[serde(rename = "type", borrow)]
    line: Cow<'a, str>,
    #[serde(default, borrow)]
    event: Option<Cow<'a, str>>,
}

/// An event by its outer tag. `EventKind` itself tries one kind after the other and forgets why none of them fitted.
#[derive(Deserialize)]
struct Observed<K> {
    at: Timestamp,
    #[serde(flatten)]
    kind: K,
}

/// Of all events, those that speak of the source and not of a connection.
const OF_THE_SOURCE: [&str; 5] = ["events_lost", "degraded", "sockets_polled", "time_passed", "resumed"];

/// Reads the first line.
///
/// # Errors
///
/// When it is not the header of a log of this format.
pub(super) fn header(text: &[u8]) -> anyhow::Result<Header> {
    /// What a header of any version has.
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let not_one = "not the header of an event log";
    // By this a log is told from other files, so it is none without it.
    anyhow::ensure!(text.starts_with(b"{"), not_one);
    let tags: Tags<'_> = serde_json::from_slice(text).context(not_one)?;
    anyhow::ensure!(tags.line == "header", "an event log begins with a header");
    let Schema { schema } = serde_json::from_slice(text).context(not_one)?;
    anyhow::ensure!(
        schema == SCHEMA,
        "the log is of the format {schema:?}, this program reads {SCHEMA:?}; read it with the observer that wrote it, \
         or a newer one"
    );
    serde_json::from_slice(text).context(not_one)
}

/// Reads any other line.
///
/// # Errors
///
/// When it is not JSON, or lacks what a line of its kind has.
pub(super) fn line(text: &[u8]) -> anyhow::Result<Parsed> {
    let tags: Tags<'_> = serde_json::from_slice(text).context("not a line of an event log")?;
    match (&*tags.line, tags.event.as_deref()) {
        ("event", Some(kind)) if OF_THE_SOURCE.contains(&kind) => {
            known(text, |Observed { at, kind }: Observed<SourceEvent>| {
                Line::Event(Event { at, kind: EventKind::Source(kind) })
            })
        }
        ("event", Some(kind)) => {
            let read = known(text, |Observed { at, kind }: Observed<SocketEvent>| {
                Line::Event(Event { at, kind: EventKind::Socket(kind) })
            });
            // A kind that is added later may lack what all have today.
            if read.is_err() && !is_of_a_connection(kind) { Ok(Parsed::Unknown(unknown(kind))) } else { read }
        }
        ("event", None) => anyhow::bail!("not a line of an event log: an event without its kind"),
        ("finding", _) => known(text, |finding: Finding| Line::Finding(finding)),
        ("header", _) => Ok(Parsed::Line(Line::Header(Box::new(header(text)?)))),
        (other, _) => Ok(Parsed::Unknown(format!("unknown type `{other}`"))),
    }
}

fn known<T: DeserializeOwned>(text: &[u8], line: impl FnOnce(T) -> Line) -> anyhow::Result<Parsed> {
    match serde_json::from_slice(text) {
        Ok(value) => Ok(Parsed::Line(line(value))),
        Err(error) => match unknown_word(&error) {
            Some(word) => Ok(Parsed::Unknown(word)),
            None => Err(error).context("not a line of an event log"),
        },
    }
}

/// The word that is not among those of its list, which serde names first: `unknown variant `x`, expected …`.
fn unknown_word(error: &serde_json::Error) -> Option<String> {
    let message = error.to_string();
    let word = message.strip_prefix("unknown variant `")?.split('`').next()?;
    Some(unknown(word))
}

fn unknown(word: &str) -> String {
    format!("unknown kind `{word}`")
}

/// Whether connections have events of this kind.
fn is_of_a_connection(kind: &str) -> bool {
    // Nothing but the kind is there, so what fails for a kind that is known is what comes after it.
    let bare = std::iter::once(("event", kind));
    let tried = SocketEventKind::deserialize(MapDeserializer::<_, serde_json::Error>::new(bare));
    tried.err().and_then(|error| unknown_word(&error)).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `line` makes of it: its kind, why it is unknown, or the error.
    fn outcome(text: &str) -> String {
        match line(text.as_bytes()) {
            Ok(Parsed::Line(Line::Event(event))) => format!("event {:?}", event.kind),
            Ok(Parsed::Line(Line::Finding(finding))) => format!("finding {:?}", finding.kind),
            Ok(Parsed::Line(line)) => format!("{line:?}"),
            Ok(Parsed::Unknown(why)) => why,
            Err(error) => format!("error: {error:#}"),
        }
    }

    #[test]
    fn what_was_added_later_is_unknown_and_what_is_wrong_is_an_error() {
        let head =
            r#""at":"2024-05-04T14:03:41.204007Z","client":"10.2.7.31:51844","server":"10.2.0.5:3306""#;
        let seen = format!(r#""type":"event",{head},"seen_at":"client""#);
        for (text, expected) in [
            (r#"{"type":"note","text":"x"}"#.to_owned(), "unknown type `note`"),
            (format!(r#"{{{seen},"event":"telepathy"}}"#), "unknown kind `telepathy`"),
            (r#"{"type":"event","event":"stars_aligned"}"#.to_owned(), "unknown kind `stars_aligned`"),
            (format!(r#"{{{seen},"event":"state","from":"bound","to":"closed"}}"#), "unknown kind `bound`"),
            (format!(r#"{{"type":"finding",{head},"finding":"doom"}}"#), "unknown kind `doom`"),
            (format!(r#"{{{seen},"event":"destroyed"}}"#), "event Socket("),
            (format!(r#"{{{seen},"event":"zero_window","by":"client"}}"#), "missing field `ack`"),
            (format!(r#"{{{seen},"event":"reset","by":7}}"#), "error: not a line of an event log: "),
            (format!("{{{seen}}}"), "an event without its kind"),
            (r#"{"at":7}"#.to_owned(), "missing field `type`"),
            ("x".to_owned(), "error: not a line of an event log: expected value"),
        ] {
            let outcome = outcome(&text);
            assert!(outcome.contains(expected), "{text}: {outcome}");
        }
    }

    #[test]
    fn the_kinds_of_the_source_are_known_by_name() {
        let error = serde_json::from_str::<SourceEvent>(r#"{"event":"?"}"#).unwrap_err().to_string();
        let kinds: Vec<_> = error.split("expected ").nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert_eq!(kinds, OF_THE_SOURCE);
    }
}
