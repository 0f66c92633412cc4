//! What the forms for people have in common: how things are called, and lines of a width.

use std::borrow::Cow;

use observer_core::{
    Confidence, Hidden, LossPoint, TimeoutSource, Timestamp, Vantage, Verdict, VerdictKind, logged_in,
    setting, told_statement, waits_for,
};

use super::account::{Account, Mark};
use super::accounts::Degradation;
use super::{File, Report, Watched};
use crate::text::{safe, width};

/// Lines are at most so wide.
pub(super) const WIDTH: usize = 78;

/// Characters of a statement that are shown.
const STATEMENT: usize = 400;

/// Clocks that are so many microseconds apart are one: stamps on the way of a segment differ by as much.
const SAME_CLOCK: u64 = 1_000;

/// What stands behind a verdict: each part that there is, with its title.
pub(super) fn reasons(verdict: &Verdict) -> impl Iterator<Item = (&'static str, Cow<'_, [String]>)> {
    let ruled_out =
        verdict.ruled_out.iter().map(|cause| format!("{}: {}", cause.kind, cause.because)).collect();
    [
        ("What speaks for it", Cow::Borrowed(&verdict.evidence[..])),
        ("What it was not", Cow::Owned(ruled_out)),
        ("What would have to be known to say more", Cow::Borrowed(&verdict.missing[..])),
        ("What to do", Cow::Borrowed(&verdict.advice[..])),
    ]
    .into_iter()
    .filter(|(_, texts)| !texts.is_empty())
}

/// The time of day, UTC, in milliseconds: `14:03:11.204`.
pub(super) fn time_of_day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..23).unwrap_or(&text).to_owned()
}

/// Day and time, UTC, in milliseconds: `2024-05-04 14:03:11.204`.
pub(super) fn date_and_time(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..23)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => text,
    }
}

/// Whether two moments are of one day, UTC.
pub(super) fn is_same_day(one: Timestamp, other: Timestamp) -> bool {
    one.to_string().get(..10) == other.to_string().get(..10)
}

/// What happened at a moment, in a few words.
pub(super) fn happened(mark: Mark, account: &Account) -> String {
    let timeout = setting(account.timeout.duration);
    match mark {
        Mark::Opened => "the connection is opened".to_owned(),
        Mark::Warning => "observer warns: net_write_timeout is running out".to_owned(),
        Mark::GaveUp => "the server is seen to give up".to_owned(),
        Mark::Deadline => {
            format!("net_write_timeout ({timeout}) is over; nothing on the wire shows it yet")
        }
        Mark::ServerFin => "the server's FIN: it has closed the connection".to_owned(),
        Mark::ServerReset => "the server's RST: it has dropped the connection".to_owned(),
        Mark::ClientFin => "the client's FIN: it has closed the connection".to_owned(),
        Mark::ClientReset => "the client's RST: it has dropped the connection".to_owned(),
        Mark::ApplicationClosed => "the application has closed its socket".to_owned(),
        Mark::EventsLost => "observations are lost: something may be missing from here on".to_owned(),
    }
}

/// The net_write_timeout, and how it is known.
pub(super) fn timeout(account: &Account) -> String {
    let source = match account.timeout.source {
        TimeoutSource::Wait => "as the server's own wait shows",
        TimeoutSource::Session => "set by the session",
        TimeoutSource::Server => "told by the server",
        TimeoutSource::Flag => "given to observer",
        TimeoutSource::Assumed => "assumed: the servers' default",
    };
    format!("net_write_timeout {} ({source})", setting(account.timeout.duration))
}

/// Where it was seen: `seen at the client's socket and at the server's socket`.
pub(super) fn seen_at(account: &Account) -> String {
    let ends: Vec<_> = account
        .seen_at
        .iter()
        .map(|seen_at| match seen_at {
            Vantage::Client => "at the client's socket",
            Vantage::Server => "at the server's socket",
            Vantage::Wire => "on the wire",
        })
        .collect();
    match ends.split_last() {
        Some((last, before)) if !before.is_empty() => format!("seen {} and {last}", before.join(", ")),
        _ => format!("seen {}", ends.concat()),
    }
}

/// The verdict in a few words: `Verdict: recovered, certain. No result was cut off.` That one was, its sentence says.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let confidence = match verdict.confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible, no more",
    };
    let whole = if verdict.incomplete == Some(false) { " No result was cut off." } else { "" };
    format!("Verdict: {}, {confidence}.{whole}", verdict.kind)
}

/// Who they are: `10.2.7.31:51844 -> 10.2.0.5:3306, thread 8812, MySQL 9.7.4`.
pub(super) fn who(account: &Account) -> String {
    let greeting = account.greeting.as_ref().map_or_else(String::new, |greeting| {
        format!(", thread {}, server {}", greeting.thread_id, greeting.name())
    });
    format!("{} -> {}{greeting}", account.flow.client, account.flow.server)
}

/// Who had the sockets open, a line each, where anything is known.
pub(super) fn processes(account: &Account) -> impl Iterator<Item = String> {
    let ends = [("client", &account.client_process), ("server", &account.server_process)];
    ends.into_iter().filter_map(|(whose, holder)| Some(holder.as_ref()?.words(whose)))
}

/// Who logged in, and what it waited for, a line each where that is known; or why it is not.
pub(super) fn session(account: &Account) -> Vec<String> {
    let mut lines = Vec::new();
    let who = account.login.as_deref().and_then(logged_in);
    if let Some(who) = who {
        lines.push(format!("logged in {who}"));
    }
    if let Some(user) = &account.told.user {
        lines.push(format!("logged in as {}, as the server told", safe(user)));
    }
    if lines.is_empty()
        && let Some(hidden) = account.hidden
    {
        lines.push(format!("who logged in is not known: {hidden}"));
    }
    let read = account.statement.as_deref();
    let told = account.told.statement.as_deref().filter(|_| read.is_none_or(|read| read.text.is_none()));
    if let Some(statement) = told {
        lines.push(format!("waited for {}", told_statement(statement, STATEMENT)));
    } else if let Some(statement) = read {
        lines.push(format!("waited for {}", waits_for(statement, STATEMENT)));
    } else if let Some(hidden @ (Hidden::Tls | Hidden::Compression)) = account.hidden
        && !account.stalls.is_empty()
    {
        lines.push(format!("what it waited for is not known: {hidden}"));
    }
    if account.in_flight == Some(true) && account.closed_at.is_none() {
        lines.push("a result was under way when it was last seen".to_owned());
    }
    lines
}

/// When it was opened and closed, a line each, in UTC.
pub(super) fn life(account: &Account) -> [String; 2] {
    let opened = match account.opened_at {
        Some(at) => format!("opened {} UTC", date_and_time(at)),
        None => format!("open when first seen, {} UTC", date_and_time(account.first_seen)),
    };
    let closed = match account.closed_at {
        Some(at) => format!("closed {} UTC", date_and_time(at)),
        None => format!("still open when last seen, {} UTC", date_and_time(account.last_seen)),
    };
    [opened, closed]
}

/// Everything that takes from what is said, a line each; first of all in every form.
pub(super) fn reservations(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let lost = report.lost_altogether();
    if lost > 0 {
        let places: Vec<_> =
            report.lost.iter().map(|(at, count)| format!("{count} {}", place(*at))).collect();
        let events = if lost == 1 { "event was" } else { "events were" };
        lines.push(format!(
            "{lost} {events} lost ({}): what is said here may miss something.",
            places.join(", ")
        ));
    }
    for Degradation { part, because, without } in &report.degraded {
        lines.push(format!(
            "Without {} ({}), this is not known: {}.",
            safe(part),
            safe(because),
            safe(without)
        ));
    }
    for file in &report.files {
        lines.extend(gaps(file));
        lines.extend(file.server_elsewhere.map(|server| {
            let (name, port) = (&file.name, server.port());
            format!("{name} has nothing at the ports asked for, but a MySQL server at {server}: try --port {port}.")
        }));
    }
    if report.watched.is_some() && report.left_out > 0 {
        lines.push(
            "too many connections were in trouble at once: what this one did before is not told, but for what \
             follows."
                .to_owned(),
        );
    } else if report.left_out > 0 {
        let connections = if report.left_out == 1 { "connection is" } else { "connections are" };
        let in_trouble = match report.left_out_in_trouble {
            0 => String::new(),
            count => format!(", {count} of them in trouble"),
        };
        lines.push(format!("{} {connections} not told of{in_trouble}: there was no room.", report.left_out));
    }
    lines
}

fn gaps(file: &File) -> Vec<String> {
    let told = file.gaps.first.iter().take(3);
    let mut lines: Vec<_> = told
        .map(|gap| format!("{}, line {}, could not be read: {}.", file.name, gap.line, safe(&gap.because)))
        .collect();
    let more = file.gaps.count.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("{}: {more} more lines could not be read.", file.name));
    }
    lines
}

fn place(lost_by: LossPoint) -> &'static str {
    match lost_by {
        LossPoint::RingBuffer => "in the kernel's ring buffer",
        LossPoint::ConnectionMap => "in the kernel's map of connections",
        LossPoint::Decoder => "not understood",
        LossPoint::Capture => "by the capture",
        LossPoint::Log => "in the log",
        LossPoint::Tracker => "beyond the limit of connections",
        LossPoint::Limit => "beyond the limit of one connection",
    }
}

/// What a file is, in one line.
pub(super) fn file(file: &File, files: &[File]) -> String {
    use crate::source::recording::Origin;
    let of = match &file.origin {
        Origin::Log(header) => format!(" of {}", safe(&header.host)),
        Origin::Capture => String::new(),
    };
    let time = file.time.map_or_else(String::new, |(first, last)| {
        let last = if is_same_day(first, last) { time_of_day(last) } else { date_and_time(last) };
        format!(", {} to {last} UTC", date_and_time(first))
    });
    let joined = file.joined.map_or_else(String::new, |(with, shift)| {
        let segments = if shift.segments == 1 { "segment" } else { "segments" };
        let with = files.get(with).map_or("", |file| file.name.as_str());
        let seen = format!("by {} {segments} seen in both", shift.segments);
        if shift.micros.unsigned_abs() < SAME_CLOCK {
            return format!("; its clock is that of {with}, {seen}");
        }
        let shifted = signed_seconds(shift.micros);
        format!("; times of {} shifted by {shifted} to those of {with}, {seen}", file.name)
    });
    format!("{}: {}{of}{time}{joined}", file.name, file.origin.word())
}

/// `-0.213 s`.
pub(super) fn signed_seconds(micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

/// What it is a report of.
pub(super) fn title(report: &Report) -> String {
    match (&report.watched, &report.accounts[..]) {
        (Some(_), [account]) => format!("MySQL connection of {}", account.flow.client),
        _ => "MySQL connections in trouble".to_owned(),
    }
}

/// How many connections had trouble, and what became of them; of one that is watched, where and until when.
pub(super) fn count(report: &Report) -> String {
    if let Some(Watched { place, at }) = &report.watched {
        let (place, at) = (safe(place), date_and_time(*at));
        return format!(
            "Watched on {place} with observer {}, as it was at {at} UTC.",
            env!("CARGO_PKG_VERSION")
        );
    }
    let connections = match report.connections {
        1 => "1 connection was seen".to_owned(),
        count => format!("{count} connections were seen"),
    };
    let shown = report.accounts.iter().filter(|account| account.severity.is_some()).count();
    match shown as u64 + report.left_out_in_trouble {
        0 if report.severity.is_none() && report.left_out == 0 => format!("{connections}, none had trouble."),
        // Something was found all the same, such as a loss of observations.
        0 => format!("{connections}, none is known to have had trouble."),
        1 if report.connections == 1 => format!("{connections}, and it had trouble."),
        count => format!("{connections}, {count} of them had trouble: {}.", kinds(report)),
    }
}

/// How many there are of each verdict: `1 net_write_timeout, 3 recovered`.
fn kinds(report: &Report) -> String {
    let mut kinds: Vec<(VerdictKind, u64)> = Vec::new();
    let in_trouble = report.accounts.iter().filter(|account| account.severity.is_some());
    for kind in in_trouble.filter_map(|account| Some(account.verdict.as_ref()?.kind)) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let untold = Some(report.left_out_in_trouble).filter(|count| *count > 0);
    let kinds = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    kinds.chain(untold.map(|count| format!("{count} not told of"))).collect::<Vec<_>>().join(", ")
}

/// `text` in lines of [`WIDTH`], the first beginning with `first` and the others with `other`. Words that are longer
/// stand by themselves.
pub(super) fn wrap(first: &str, other: &str, text: &str) -> Vec<String> {
    let text: Cow<'_, str> = safe(text);
    let mut lines = vec![first.to_owned()];
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let Some(line) = lines.last_mut() else { break };
        let fits = width(line) + usize::from(!empty) + width(word) <= WIDTH;
        if fits || empty {
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("{other}{word}"));
        }
        empty = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use observer_core::Severity;

    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        let text = "word ".repeat(40) + &"x".repeat(100) + " end";
        let lines = wrap("- ", "  ", &text);
        assert!(lines[0].starts_with("- word") && lines[1].starts_with("  word"));
        assert!(lines.iter().all(|line| width(line) <= WIDTH || line.contains("xxx")), "{lines:#?}");
        assert_eq!(lines.last().unwrap(), "  end");
        assert_eq!(wrap("a", "b", ""), ["a"]);
        assert_eq!(wrap("", "", "a\u{1b}[2J\nb"), ["a\u{fffd}[2J\u{fffd}b"]);
    }

    #[test]
    fn that_none_had_trouble_is_said_only_where_it_is_known() {
        let report = |severity, left_out, left_out_in_trouble| {
            let report =
                Report { connections: 30, severity, left_out, left_out_in_trouble, ..Report::default() };
            (count(&report), reservations(&report))
        };
        let seen = |words| format!("30 connections were seen, {words}.");
        assert_eq!(report(None, 0, 0), (seen("none had trouble"), vec![]));
        let none_known = seen("none is known to have had trouble");
        assert_eq!(report(Some(Severity::Lost), 0, 0), (none_known.clone(), vec![]));
        let not_told = |words: &str| vec![format!("{words}: there was no room.")];
        assert_eq!(report(None, 10, 0), (none_known, not_told("10 connections are not told of")));
        let two = seen("2 of them had trouble: 2 not told of");
        let expected = (two, not_told("10 connections are not told of, 2 of them in trouble"));
        assert_eq!(report(Some(Severity::Warning), 10, 2), expected);
    }

    #[test]
    fn shifts_have_a_sign() {
        assert_eq!(signed_seconds(-213_000), "-0.213000 s");
        assert_eq!(signed_seconds(1_000_001), "+1.000001 s");
    }
}
