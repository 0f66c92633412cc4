//! `observer replay`.
use super::Outcome;
use crate::cli::ReplayArgs;
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let _ = args;
    Ok(Outcome::Clean)
}
