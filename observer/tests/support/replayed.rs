//! What a log gives when it is judged again.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;

use observer::output::Output;
use observer::replay;
use observer::source::recording::{Given, Options, Recording, Source};
use observer_core::{Finding, Timestamp, Tracker};

/// What `observer replay` finds in a log.
pub(crate) fn replayed(log: &Path) -> anyhow::Result<Vec<Finding>> {
    let recording = Recording::open(&Source::open(log)?, &Options::default())?;
    let config = Given::default().config(recording.origin());
    let mut found = Found(Vec::new());
    replay::lines(recording, config, None, &mut found)?;
    Ok(found.0)
}

/// Keeps what is found.
struct Found(Vec<Finding>);

impl Output for Found {
    type Input = Infallible;

    fn finding(&mut self, finding: &Finding, _tracker: &Tracker) -> anyhow::Result<()> {
        self.0.push(finding.clone());
        Ok(())
    }

    fn input(&mut self, input: Infallible, _tracker: &Tracker, _now: Timestamp) -> ControlFlow<()> {
        match input {}
    }
}
