//! The report as Markdown (CommonMark), for an issue or a wiki.

use std::io::{self, Write};

use observer_core::Verdict;

use super::Report;
use super::account::Account;
use super::timeline::{moments, picture};
use super::words::{self, count, file, life, processes, reservations, seen_at, session, timeout, title, who};
use crate::text::safe;

/// Writes it.
///
/// # Errors
///
/// When it cannot be written.
pub fn markdown(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# {}\n", escaped(&title(report)))?;
    for reservation in reservations(report) {
        writeln!(out, "> **Note:** {}\n", escaped(&reservation))?;
    }
    writeln!(out, "{}", escaped(&count(report)))?;
    if !report.files.is_empty() {
        writeln!(out)?;
    }
    for each in &report.files {
        writeln!(out, "- {}", escaped(&file(each, &report.files)))?;
    }
    for account in &report.accounts {
        connection(account, out)?;
    }
    out.flush()
}

fn connection(account: &Account, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n## {}\n", escaped(&who(account)))?;
    if let Some(verdict) = &account.verdict {
        writeln!(out, "**{}** {}\n", escaped(&verdict.sentence), escaped(&words::verdict(verdict)))?;
    }
    let session = session(account);
    for line in life(account).iter().chain([&timeout(account), &seen_at(account)]).chain(&session) {
        writeln!(out, "- {}", escaped(line))?;
    }
    for line in processes(account) {
        writeln!(out, "- {}", escaped(&line))?;
    }
    let picture = picture(account);
    if !picture.is_empty() {
        writeln!(out, "\n```text\n{}\n```", picture.join("\n"))?;
    }
    let moments = moments(account);
    if !moments.is_empty() {
        writeln!(out, "\n| time (UTC) | | what happened |\n|---|---:|---|")?;
        for told in moments {
            writeln!(out, "| {} | {} | {} |", told.time, told.distance, escaped(&told.what))?;
        }
    }
    account.verdict.as_ref().map_or(Ok(()), |verdict| reasons(verdict, out))
}

fn reasons(verdict: &Verdict, out: &mut impl Write) -> io::Result<()> {
    for (title, texts) in words::reasons(verdict) {
        writeln!(out, "\n### {title}\n")?;
        for text in texts.iter() {
            writeln!(out, "- {}", escaped(text))?;
        }
    }
    Ok(())
}

/// Text that stands for itself: no markup, no HTML, no control characters (CommonMark 0.31, section 2.4).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in safe(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '&' | '#' | '~') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_no_markup() {
        assert_eq!(escaped("<b>*x*</b> | `y` [z](u)"), "\\<b\\>\\*x\\*\\</b\\> \\| \\`y\\` \\[z\\](u)");
        assert_eq!(escaped("net_write_timeout\n"), "net_write_timeout\u{fffd}");
    }
}
