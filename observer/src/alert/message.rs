//! What is told, as JSON.

use observer_core::Finding;
use serde::Serialize;

use crate::log::FindingRef;

/// The form of the messages.
pub const SCHEMA: &str = "observer.alert/1";

/// Where alerts come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The host's name.
    pub host: String,
    /// observer's version.
    pub version: String,
}

#[derive(Serialize)]
struct Message<'a> {
    schema: &'static str,
    host: &'a str,
    version: &'a str,
    held_back: u64,
    sentence: String,
    #[serde(flatten)]
    finding: FindingRef<'a>,
}

impl Origin {
    /// A finding as one line of JSON, after so many that were held back.
    ///
    /// # Errors
    ///
    /// None that happen: it is written to memory.
    pub(super) fn message(&self, finding: &Finding, held_back: u64) -> serde_json::Result<Vec<u8>> {
        let message = Message {
            schema: SCHEMA,
            host: &self.host,
            version: &self.version,
            held_back,
            sentence: finding.sentence(),
            finding: FindingRef::from(finding),
        };
        let mut text = serde_json::to_vec(&message)?;
        text.push(b'\n');
        Ok(text)
    }
}
