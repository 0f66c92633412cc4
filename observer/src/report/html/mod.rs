//! The report as one HTML file that needs nothing else: no script, nothing from elsewhere.
//!
//! | file | what it does |
//! |---|---|
//! | `connection` | what is told of one connection |
//! | `chart` | its chart, as SVG |
//! | `style.css` | how it looks: light, dark, on paper, on a phone |

mod chart;
mod connection;

use std::io::{self, Write};

use maud::{Markup, PreEscaped, Render, html};

use super::Report;
use super::words::{count, file, reservations, title};
use crate::text::safe;

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the page: apply its style. Even if something were to get past the escaping, it would
/// neither run nor be fetched (Content Security Policy, Level 3).
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes it.
///
/// # Errors
///
/// When it cannot be written.
pub fn html(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let write = |out: &mut dyn Write, markup: Markup| writeln!(out, "{}", markup.0);
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">")?;
    write(out, head(report))?;
    writeln!(out, "<body>\n<main>")?;
    write(out, summary(report))?;
    // One by one: of all connections together, there may be more than is to be in memory twice.
    for (number, account) in report.accounts.iter().enumerate() {
        write(out, connection::section(number + 1, account))?;
    }
    writeln!(out, "</main>")?;
    write(out, footer())?;
    writeln!(out, "</body>\n</html>")?;
    out.flush()
}

/// Text that may come from others: nothing in it is markup, controls anything, or turns the line round.
struct Text<'a>(&'a str);

impl Render for Text<'_> {
    fn render_to(&self, page: &mut String) {
        safe(self.0).as_ref().render_to(page);
    }
}

fn head(report: &Report) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta http-equiv="Content-Security-Policy" content=(POLICY);
            title { (Text(&title(report))) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// What stands before the connections: what is missing first of all.
fn summary(report: &Report) -> Markup {
    let reservations = reservations(report);
    html! {
        header {
            h1 { (Text(&title(report))) }
            @if !reservations.is_empty() {
                section.missing aria-label="What is missing" {
                    ul { @for line in &reservations { li { (Text(line)) } } }
                }
            }
            p { (Text(&count(report))) }
            @if !report.files.is_empty() {
                ul.sources aria-label="Sources" {
                    @for each in &report.files { li { (Text(&file(each, &report.files))) } }
                }
            }
            @if report.accounts.len() > 1 {
                nav aria-label="Connections" { ol { (contents(report)) } }
            }
        }
    }
}

/// The connections with what became of each.
fn contents(report: &Report) -> Markup {
    html! {
        @for (number, account) in report.accounts.iter().enumerate() {
            li {
                a href=(format!("#c{}", number + 1)) {
                    (account.flow.client) " \u{2192} " (account.flow.server)
                }
                @if let Some(verdict) = &account.verdict {
                    ": " (Text(&verdict.sentence))
                }
            }
        }
    }
}

fn footer() -> Markup {
    html! {
        footer { "Made by observer " (env!("CARGO_PKG_VERSION")) ". All times are UTC." }
    }
}
