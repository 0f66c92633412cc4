//! A part of the source that is not there.

use std::fmt;
use std::io;

use aya::programs::ProgramError;
use observer_core::SourceEvent;

use crate::privilege::{Capabilities, Capability};

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
    let refused = error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
    });
    // The verifier, too, refuses with EACCES. It is stricter with who has no CAP_PERFMON; else the program is at fault.
    let at_fault = verdict(error).is_some() && may_do_everything();
    if refused && !at_fault {
        return format!("no permission for {error} (needs root, or {})", what_it_takes());
    }
    let mut lines: Vec<String> = Vec::new();
    for line in error.chain().map(one_line) {
        // Some errors repeat their cause.
        if !lines.last().is_some_and(|before| before.ends_with(&line)) {
            lines.push(line);
        }
    }
    lines.join(": ")
}

/// Where the programs themselves are allowed, it is a file that may not be read: tracefs is root's.
fn what_it_takes() -> &'static str {
    let has_all = Capabilities::effective().is_ok_and(|set| {
        let for_programs = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
        for_programs.into_iter().all(|one| set.has(one)) && !set.has(Capability::DacReadSearch)
    });
    if has_all { "CAP_DAC_READ_SEARCH" } else { "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" }
}

/// Whether the verifier takes every program from this process that it takes at all.
fn may_do_everything() -> bool {
    Capabilities::effective()
        .is_ok_and(|effective| effective.has(Capability::SysAdmin) || effective.has(Capability::Perfmon))
}

fn one_line(cause: &(dyn std::error::Error + 'static)) -> String {
    // Its text has the whole log of the verifier.
    if let Some(ProgramError::LoadError { verifier_log, .. }) = cause.downcast_ref::<ProgramError>() {
        return last_word(&verifier_log.to_string()).map_or_else(
            || "the kernel refuses it".to_owned(),
            |verdict| format!("the verifier refuses it ({verdict})"),
        );
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

/// What the verifier does not like, if it has looked at the program at all.
fn verdict(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(ProgramError::LoadError { verifier_log, .. }) => last_word(&verifier_log.to_string()),
        _ => None,
    })
}

/// The line of a verifier's log before its statistics.
fn last_word(log: &str) -> Option<String> {
    let statistics = ["processed ", "stack depth ", "verification time "];
    let mut lines = log.lines().rev().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !statistics.iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_takes() {
        let error = anyhow::Error::from(io::Error::from_raw_os_error(1)).context("loading the programs");
        assert_eq!(
            because(&error),
            "no permission for loading the programs (needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)"
        );
    }

    #[test]
    fn other_errors_are_told_in_one_line() {
        let error = anyhow::anyhow!("no such file\nmore").context("reading format");
        assert_eq!(because(&error), "reading format: no such file");
    }

    #[test]
    fn of_a_verifiers_log_the_verdict_is_told() {
        let log = "46: (71) r5 = *(u8 *)(r7 -8)\nR7 offset is outside of the packet\n\nverification time 373 usec\n\
                   stack depth 192+0\nprocessed 49 insns (limit 1000000)\n";
        assert_eq!(last_word(log).as_deref(), Some("R7 offset is outside of the packet"));
        assert_eq!(last_word(""), None);
    }
}
