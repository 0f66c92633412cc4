//! Whether the servers that are to be asked answer, and what they may tell.

use anyhow::Context as _;

use super::report::Check;
use crate::source::live::server::{Examined, Server, WITHOUT_ALL};

/// One for each server.
pub(super) fn checks(servers: &[Server]) -> anyhow::Result<Vec<Check>> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the asynchronous runtime")?;
    let checks = servers.iter().map(|server| check(server, runtime.block_on(server.examine()))).collect();
    // A look-up of a name that goes on is not waited for.
    runtime.shutdown_background();
    Ok(checks)
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
