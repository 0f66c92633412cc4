//! A part of the source that is not there.

use std::fmt;
use std::io;

use aya::programs::ProgramError;
use nix::errno::Errno;
use observer_core::SourceEvent;

/// What is missing, why, and what cannot be known for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degradation {
    /// The part, in a few words: `kernel programs`.
    pub part: String,
    /// Why.
    pub because: String,
    /// What cannot be known without it.
    pub without: String,
}

impl Degradation {
    pub(super) fn new(part: &str, error: &anyhow::Error, without: &str) -> Self {
        Self { part: part.to_owned(), because: because(error), without: without.to_owned() }
    }
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, because, without } = self;
        write!(f, "no {part}: {because}; without: {without}")
    }
}

impl From<Degradation> for SourceEvent {
    fn from(degradation: Degradation) -> Self {
        let Degradation { part, because, without } = degradation;
        Self::Degraded { part, because, without }
    }
}

/// The error in a line: a refusal by what it takes, anything else by its chain.
fn because(error: &anyhow::Error) -> String {
    // The verifier, too, says EACCES, when it does not like a program.
    let verified = error.chain().any(|cause| matches!(cause.downcast_ref(), Some(ProgramError::LoadError { io_error, .. }) if io_error.raw_os_error() == Some(Errno::EACCES as i32)));
    let refused = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::PermissionDenied);
    if refused && !verified {
        return format!(
            "no permission for {} (needs root)",
            error.chain().next().map_or_else(String::new, one_line)
        );
    }
    error.chain().map(one_line).collect::<Vec<_>>().join(": ")
}

/// A verifier's log has thousands of lines, of which the last but one says what is wrong.
fn one_line(cause: &(dyn std::error::Error + 'static)) -> String {
    if let Some(ProgramError::LoadError { verifier_log, .. }) = cause.downcast_ref::<ProgramError>() {
        let log = verifier_log.to_string();
        let verdict = log.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed "));
        return format!("the kernel refuses it ({})", verdict.unwrap_or("no reason given"));
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_takes() {
        let error = anyhow::Error::from(io::Error::from_raw_os_error(1)).context("loading the programs");
        assert_eq!(because(&error), "no permission for loading the programs (needs root)");
    }

    #[test]
    fn other_errors_are_told_in_one_line() {
        let error = anyhow::anyhow!("no such file\nmore").context("reading format");
        assert_eq!(because(&error), "reading format: no such file");
    }
}
