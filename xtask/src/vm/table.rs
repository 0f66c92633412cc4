//! The table of all machines: for people who wait, and as docs/KERNELS.md keeps it.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::judge;
use super::seen::Seen;
use super::variant::Variant;
use crate::places::repository;

/// Where the table is kept, between two marks.
const DOCUMENT: &str = "docs/KERNELS.md";
const BEGIN: &str = "<!-- cargo xtask vm --table -->\n";
const END: &str = "<!-- end -->\n";

/// What is told of one machine.
pub(super) struct Row {
    release: String,
    variant: Variant,
    programs: usize,
    /// Of the client that is lost and the one that goes on.
    verdicts: [String; 2],
    /// What the observer says it does without.
    missing: Vec<String>,
    resident: f64,
    idle: f64,
    story: f64,
    /// What is not as it has to be.
    pub(super) misses: Vec<String>,
}

impl Row {
    pub(super) fn new(variant: Variant, seen: &Seen) -> Self {
        let verdict = |part| {
            let kind = seen.verdict(part).and_then(|verdict| verdict["kind"].as_str());
            kind.unwrap_or("-").to_owned()
        };
        Self {
            release: seen.release.clone(),
            variant,
            programs: seen.programs.len(),
            verdicts: ["export", "report"].map(verdict),
            missing: seen.degraded().map(str::to_owned).collect(),
            resident: seen.usage.resident,
            idle: seen.usage.idle,
            story: seen.usage.story,
            misses: judge::misses(variant, seen),
        }
    }

    /// One line of Markdown.
    fn markdown(&self) -> String {
        let Self {
            release,
            variant,
            programs,
            verdicts: [lost, paused],
            missing,
            resident,
            idle,
            story,
            misses,
        } = self;
        let missing = if missing.is_empty() { "-".to_owned() } else { missing.join(", ") };
        let holds = if misses.is_empty() { "yes" } else { "**no**" };
        let (idle, story) = (100.0 * idle, 100.0 * story);
        format!(
            "| {release} | {} | {programs} | {lost} | {paused} | {missing} | {resident:.1} MiB | {idle:.1} % | {story:.1} % | {holds} |",
            variant.name()
        )
    }
}

/// The table, with what is wrong below it.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| kernel | surroundings | programs | who stops reading | who pauses | it says it is without | resident | CPU, idle | CPU, story | holds |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        text.push_str(&row.markdown());
        text.push('\n');
    }
    for row in rows {
        for miss in &row.misses {
            // Writing to a String does not fail.
            let _ = write!(text, "\n{} {}: {miss}", row.release, row.variant.name());
        }
    }
    text
}

/// Replaces the one in the document.
pub(super) fn keep(rows: &[Row]) -> anyhow::Result<()> {
    let path = repository().join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| format!("reading {DOCUMENT}"))?;
    let replaced =
        replace(&document, &text(rows)).with_context(|| format!("{DOCUMENT} has no marks of a table"))?;
    fs::write(&path, replaced).with_context(|| format!("writing {DOCUMENT}"))
}

fn replace(document: &str, table: &str) -> Option<String> {
    let (above, rest) = document.split_once(BEGIN)?;
    let (_, below) = rest.split_once(END)?;
    Some(format!("{above}{BEGIN}\n{table}\n{END}{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_what_is_between_the_marks() {
        let document = format!("above\n{BEGIN}\nold\n\n{END}below\n");
        assert_eq!(replace(&document, "new\n"), Some(format!("above\n{BEGIN}\nnew\n\n{END}below\n")));
        assert_eq!(replace("no marks", "new"), None);
    }
}
