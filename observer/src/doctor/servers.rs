//! Whether the servers that are to be asked answer, and what they may tell.

use super::report::Check;
use crate::runtime::in_runtime;
use crate::source::live::server::{Examined, Server, WITHOUT_ALL};

/// One for each server.
pub(super) fn checks(servers: &[Server]) -> anyhow::Result<Vec<Check>> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    in_runtime(async {
        let mut checks = Vec::new();
        for server in servers {
            checks.push(check(server, server.examine().await));
        }
        Ok(checks)
    })
}

fn check(server: &Server, Examined { found, lacks }: Examined) -> Check {
    let name = format!("server {}", server.place());
    match found {
        Err(why) => Check::missing(name, why, WITHOUT_ALL, None),
        Ok(found) if lacks.is_empty() => {
            Check::ok(name, format!("{found}: tells sessions, timeouts and statements"))
        }
        Ok(found) => {
            let all = |texts: Vec<&str>| texts.join("; ");
            let mut remedies: Vec<_> = lacks.iter().filter_map(|lack| lack.remedy).collect();
            remedies.dedup();
            let remedy = all(remedies);
            Check::missing(
                name,
                format!("{found}: {}", all(lacks.iter().map(|lack| lack.because.as_str()).collect())),
                &all(lacks.iter().map(|lack| lack.without).collect()),
                (!remedy.is_empty()).then_some(remedy.as_str()),
            )
        }
    }
}
