//! The report as plain text, at most 78 columns wide.

use std::io::{self, Write};

use observer_core::Verdict;

use super::account::Account;
use super::timeline::{moments, picture};
use super::words::{WIDTH, count, file, life, processes, reservations, seen_at, session, timeout, who, wrap};
use super::{Report, words};
use crate::text::safe;

/// Writes it.
///
/// # Errors
///
/// When it cannot be written.
pub fn text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for line in lines(report) {
        // Nothing of what others wrote moves the cursor; each part is clean already.
        writeln!(out, "{}", safe(&line))?;
    }
    out.flush()
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = wrap("", "", &count(report));
    for each in &report.files {
        lines.extend(wrap("  ", "    ", &file(each, &report.files)));
    }
    for reservation in reservations(report) {
        lines.extend(wrap("! ", "  ", &reservation));
    }
    for (number, account) in report.accounts.iter().enumerate() {
        lines.push(String::new());
        lines.push("=".repeat(WIDTH));
        lines.extend(connection(number + 1, account));
    }
    lines
}

fn connection(number: usize, account: &Account) -> Vec<String> {
    let mut lines = wrap(&format!("{number}. "), "   ", &who(account));
    let [opened, closed] = life(account);
    lines.extend(wrap("   ", "   ", &format!("{opened}, {closed}")));
    lines.extend(wrap("   ", "   ", &format!("{}, {}", timeout(account), seen_at(account))));
    for process in processes(account) {
        lines.extend(wrap("   ", "   ", &process));
    }
    lines.extend(session(account).iter().flat_map(|line| wrap("   ", "   ", line)));
    lines.push(String::new());
    if let Some(verdict) = &account.verdict {
        lines.extend(wrap("", "", &verdict.sentence));
        lines.extend(wrap("", "", &words::verdict(verdict)));
    }
    section(&mut lines, picture(account));
    let told = moments(account).into_iter().flat_map(|told| {
        let first = format!("  {:12} {:>9}  ", told.time, told.distance);
        wrap(&first, &" ".repeat(first.len()), &told.what)
    });
    section(&mut lines, told.collect());
    if let Some(verdict) = &account.verdict {
        lines.extend(reasons(verdict));
    }
    lines
}

/// Adds a part with an empty line before it.
fn section(lines: &mut Vec<String>, part: Vec<String>) {
    if !part.is_empty() {
        lines.push(String::new());
        lines.extend(part);
    }
}

fn reasons(verdict: &Verdict) -> Vec<String> {
    let mut lines = Vec::new();
    for (title, texts) in words::reasons(verdict) {
        lines.push(String::new());
        lines.push(title.to_owned());
        lines.extend(texts.iter().flat_map(|text| wrap("  - ", "    ", text)));
    }
    lines
}
