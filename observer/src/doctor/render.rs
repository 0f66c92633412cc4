//! The report as lines and as JSON.

use std::io::{self, Write};

use super::report::{Check, NamespaceSockets, Report};
use crate::text::{safe, without_controls};

/// One line for each requirement and for each namespace with sockets, then the sum.
pub(super) fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &report.checks {
        let Check { name, ok, found, without, remedy } = check;
        let state = if *ok { "ok" } else { "missing" };
        let mut line = format!("{state:<7}  {name:<width$}  {found}");
        if let Some(without) = without {
            line.push_str("; lost: ");
            line.push_str(without);
        }
        if let Some(remedy) = remedy {
            line.push_str("; try: ");
            line.push_str(remedy);
        }
        writeln!(out, "{}", safe(&line))?;
    }
    writeln!(out)?;
    sockets(report, out)?;
    let missing = report.checks.iter().filter(|check| !check.ok).count();
    if missing == 0 {
        writeln!(out, "Everything that the full live view needs is here.")
    } else {
        writeln!(out, "{missing} of {} missing: the live view does without.", report.checks.len())
    }
}

fn sockets(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let ports: Vec<_> = report.ports.iter().map(u16::to_string).collect();
    let ports = ports.join(", ");
    if report.sockets.is_empty() {
        writeln!(out, "No sockets on port {ports} now.")?;
    }
    for NamespaceSockets { namespace, clients, servers } in &report.sockets {
        let place = namespace.as_deref().unwrap_or("this network namespace");
        writeln!(
            out,
            "Sockets on port {ports} now: {clients} of clients, {servers} of servers in {}",
            safe(place)
        )?;
    }
    Ok(())
}

/// The whole report as one JSON object.
pub(super) fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", without_controls(&serde_json::to_string_pretty(report)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new(&[3306, 3307]);
        report.checks.push(Check::ok("kernel", "6.18.44"));
        report.checks.push(Check::missing(
            "network namespaces",
            "to enter them needs CAP_SYS_ADMIN: EPERM\x1b[2J",
            "containers",
            "run with sudo",
        ));
        report.sockets.push(NamespaceSockets { namespace: None, clients: 2, servers: 0 });
        let container = Some("/proc/4711/ns/net".to_owned());
        report.sockets.push(NamespaceSockets { namespace: container, clients: 0, servers: 2 });
        report
    }

    fn written(render: fn(&Report, &mut dyn Write) -> io::Result<()>, report: &Report) -> String {
        let mut out = Vec::new();
        render(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_aligned_and_safe() {
        let expected = "\
ok       kernel              6.18.44
missing  network namespaces  to enter them needs CAP_SYS_ADMIN: EPERM\u{fffd}[2J; lost: containers; \
try: run with sudo

Sockets on port 3306, 3307 now: 2 of clients, 0 of servers in this network namespace
Sockets on port 3306, 3307 now: 0 of clients, 2 of servers in /proc/4711/ns/net
1 of 2 missing: the live view does without.
";
        assert_eq!(written(text, &report()), expected);
    }

    #[test]
    fn says_when_nothing_is_missing() {
        let mut report = report();
        report.checks.truncate(1);
        report.sockets.clear();
        let expected = "\
ok       kernel  6.18.44

No sockets on port 3306, 3307 now.
Everything that the full live view needs is here.
";
        assert_eq!(written(text, &report), expected);
    }

    #[test]
    fn json_says_the_same() {
        let value: serde_json::Value = serde_json::from_str(&written(json, &report())).unwrap();
        assert_eq!(value["schema"], "observer.doctor/1");
        assert_eq!(value["checks"][0]["ok"], true);
        assert!(value["checks"][0].get("without").is_none());
        assert_eq!(value["checks"][1]["remedy"], "run with sudo");
        assert_eq!(value["sockets"][1]["namespace"], "/proc/4711/ns/net");
        assert_eq!(value["sockets"][1]["servers"], 2);
    }
}
