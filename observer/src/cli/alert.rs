//! Options about alerts.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::FailOn;
use crate::alert::{Command, Courier, Headers, Patience, Policy, Webhook, read_headers};

/// Who is told of findings, and of which.
#[derive(Args, Clone, Debug)]
pub struct AlertArgs {
    /// Run this for every alert, by sh -c, with the finding as JSON on its standard input
    ///
    /// One runs at a time, for at most 30 seconds; what it prints goes to standard error.
    #[arg(long, value_name = "COMMAND")]
    pub alert_command: Option<String>,

    /// Post every alert, the finding as JSON, to this http:// or https:// URL
    ///
    /// What fails is posted again four times, after longer and longer pauses.
    #[arg(long, value_name = "URL")]
    pub alert_url: Option<String>,

    /// Send what is in this file with each post: NAME: VALUE on each line; nobody else may read it
    #[arg(long, value_name = "FILE", requires = "alert_url")]
    pub alert_header_file: Option<PathBuf>,

    /// Findings of this severity or above are alerts, and so is how they went on
    #[arg(long, value_name = "LEVEL", default_value = "critical")]
    pub alert_level: FailOn,

    /// So many alerts a minute at most; each tells how many were held back before it
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub alert_rate: u32,
}

/// The longest that a command may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl AlertArgs {
    /// Who is to be told.
    ///
    /// # Errors
    ///
    /// When the URL is none, or what belongs to it cannot be read.
    pub fn couriers(&self) -> anyhow::Result<Vec<Box<dyn Courier>>> {
        let mut couriers = Vec::<Box<dyn Courier>>::new();
        if let Some(line) = &self.alert_command {
            couriers.push(Box::new(Command { line: line.clone(), time_limit: TIME_LIMIT }));
        }
        if let Some(url) = &self.alert_url {
            let headers = self.alert_header_file.as_deref().map_or(Ok(Headers::new()), read_headers)?;
            couriers.push(Box::new(Webhook::new(url, headers, Patience::default())?));
        }
        Ok(couriers)
    }

    /// Whether anybody is.
    pub fn are_wanted(&self) -> bool {
        self.alert_command.is_some() || self.alert_url.is_some()
    }

    /// Which findings are told, and how often.
    pub fn policy(&self) -> Policy {
        Policy::new(self.alert_level.into(), self.alert_rate)
    }
}
