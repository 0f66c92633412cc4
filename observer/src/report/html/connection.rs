//! What is told of one connection.

use maud::{Markup, html};
use observer_core::{Severity, Verdict};

use super::Text;
use super::chart::figure;
use crate::report::account::Account;
use crate::report::timeline::moments;
use crate::report::words::{self, life, processes, seen_at, session, timeout, who};

/// Its part of the page; `number` is its place among the others.
pub(super) fn section(number: usize, account: &Account) -> Markup {
    let id = format!("c{number}");
    html! {
        article id=(id) aria-labelledby=(format!("{id}-who")) {
            h2 id=(format!("{id}-who")) { (Text(&who(account))) }
            @if let Some(verdict) = &account.verdict {
                (sentence(verdict, account.severity))
            }
            (facts(account))
            (figure(&id, account))
            (story(account))
            @if let Some(verdict) = &account.verdict {
                (reasons(verdict))
            }
        }
    }
}

/// What became of it.
fn sentence(verdict: &Verdict, severity: Option<Severity>) -> Markup {
    let class = match severity {
        Some(Severity::Lost | Severity::Critical) => "verdict lost",
        Some(Severity::Warning) => "verdict warning",
        Some(Severity::Notice) | None => "verdict",
    };
    html! {
        div class=(class) {
            p { strong { (Text(&verdict.sentence)) } }
            p { (Text(&words::verdict(verdict))) }
        }
    }
}

fn facts(account: &Account) -> Markup {
    html! {
        ul.facts {
            @for line in life(account) { li { (Text(&line)) } }
            li { (Text(&timeout(account))) }
            li { (Text(&seen_at(account))) }
            @for line in session(account).into_iter().chain(processes(account)) { li { (Text(&line)) } }
        }
    }
}

/// The moments, which tell in words what the chart shows.
fn story(account: &Account) -> Markup {
    let moments = moments(account);
    html! {
        @if !moments.is_empty() {
            h3 { "What happened" }
            table {
                thead {
                    tr {
                        th scope="col" { "Time" }
                        th.since scope="col" { "After" }
                        th scope="col" { "What" }
                    }
                }
                tbody {
                    @for told in moments {
                        tr {
                            td.time { (told.time) }
                            td.since { (told.distance) }
                            td { (Text(&told.what)) }
                        }
                    }
                }
            }
        }
    }
}

fn reasons(verdict: &Verdict) -> Markup {
    html! {
        @for (title, texts) in words::reasons(verdict) {
            h3 { (title) }
            ul { @for text in texts.iter() { li { (Text(text)) } } }
        }
    }
}
