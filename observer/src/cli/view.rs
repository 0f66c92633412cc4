//! Options of the commands that show the view.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use observer_core::Config;

use super::values::{parse_filter, parse_keep};
use crate::view::{Abilities, Columns, Order, Theme, Wishes};

/// What the view looks like at first.
#[derive(Args, Clone, Debug)]
pub struct ViewArgs {
    /// Sort the view's list by timeout, client, process, thread, state, window, queued, unread or stalled; with - before it the other way round
    #[arg(long, value_name = "[-]COLUMN", default_value = "timeout", allow_hyphen_values = true)]
    pub sort: Order,

    /// Show only connections with this in their addresses, processes, thread, version, state or kind of end, as / does
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_filter)]
    pub filter: String,

    /// The columns of the view's list, as far as there is room for them [default: all that have something to show]
    ///
    /// Of client, process, thread, state, window, history, queued, unread, stalled and timeout, with commas between.
    #[arg(long, value_name = "COLUMN,...")]
    pub columns: Option<Columns>,

    /// Where the view's key r writes reports [default: the working directory]
    #[arg(long, value_name = "DIRECTORY", default_value = ".", hide_default_value = true)]
    pub report_dir: PathBuf,

    /// The view's colours
    #[arg(long, value_enum, default_value_t = ThemeArg::Auto)]
    pub theme: ThemeArg,

    /// Leave the mouse to the terminal, to select text without shift
    #[arg(long)]
    pub no_mouse: bool,

    /// How long the view keeps connections that have ended
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_keep)]
    pub keep_ended: Duration,
}

/// The themes of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// None where NO_COLOR is set, those for a light ground where COLORFGBG says so, else those for a dark one
    Auto,
    /// For a dark ground
    Dark,
    /// For a light ground
    Light,
    /// None
    Mono,
}

impl ViewArgs {
    /// What the list is to be like.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            order: self.sort,
            filter: self.filter.clone(),
            columns: self.columns.clone().unwrap_or_default(),
            keep_ended: self.keep_ended,
        }
    }

    /// A judgement that keeps what has ended for long enough. It never keeps it for less than by default: what comes late
    /// is of the connection that has ended then, whatever is shown.
    pub fn keep(&self, config: Config) -> Config {
        let keep_ended = config.keep_ended.max(self.keep_ended);
        Config { keep_ended, ..config }
    }

    /// What the terminal can show, and what of it is wanted.
    pub fn abilities(&self, variable: impl Fn(&str) -> Option<String>) -> Abilities {
        let found = Abilities::from_environment(variable);
        let theme = match self.theme {
            ThemeArg::Auto => found.theme,
            ThemeArg::Dark => Theme::Dark,
            ThemeArg::Light => Theme::Light,
            ThemeArg::Mono => Theme::Mono,
        };
        Abilities { theme, ..found }
    }
}
