//! Clients in real containers.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, ensure};
use observer_core::{End, FindingKind, SocketEventKind, Vantage as Seen};

use super::owners::{owners, processes};
use crate::harness::Setup;
use crate::harness::container::{Container, Containers};
use crate::harness::holder::serve;
use crate::harness::lab::Lab;
use crate::harness::log::Log;
use crate::harness::observer::{Observer, Vantage};

/// One that runs when the observer starts, and one that is started later and killed: each is told as its container, with
/// its process as the host counts, and as one connection with both of its ends on this host.
pub(crate) fn podman(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    serve(&lab)?;
    let containers = Containers::on(lab.server())?;
    let before = containers.open("before", lab.address())?;
    let observer = Observer::start(Vantage::Host, &["--port", &lab.port.to_string()])?;
    let after = containers.open("after", lab.address())?;
    for container in [&before, &after] {
        let client = container.address;
        observer.wait_log("the owners", |log| processes(log, client, Seen::Client) == [container.pid])?;
        let is_stalled = |kind: &FindingKind| matches!(kind, FindingKind::Stalled { .. });
        observer.wait_finding("the stall", client, is_stalled)?;
        ensure_told(container, &observer.log()?)?;
    }
    containers.kill(&after)?;
    observer.wait_log("the end", |log| {
        !log.times_of(after.address, |kind| *kind == SocketEventKind::Destroyed).is_empty()
    })?;
    let log = observer.stop()?;
    ensure!(processes(&log, after.address, Seen::Client) == [after.pid], "it stays known when it is gone");
    Ok(())
}

fn ensure_told(container: &Container, log: &Log) -> anyhow::Result<()> {
    let told = owners(log, container.address, Seen::Client);
    let owner = told.last().and_then(|last| last.processes.first()).context("an owner")?;
    let name = format!("podman {}", &container.id[..12]);
    ensure!(owner.container.as_deref() == Some(&*name), "{owner:?} is not {name}");
    ensure!(owner.unit.is_none() && owner.pod.is_none(), "{owner:?}");
    // Whoever root is in there.
    ensure!((owner.uid, owner.user.as_deref()) == (Some(0), None), "{owner:?}");
    let netns = |pid| fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| file.ino());
    let (own, hosts) = (netns(container.pid)?, netns(std::process::id())?);
    ensure!(owner.netns == Some(own) && own != hosts, "{owner:?} is not in {own}");
    let [connection] = &log.connections(container.address)[..] else {
        anyhow::bail!("{:?}", log.connections(container.address))
    };
    ensure!(connection.local == [End::Client, End::Server].map(Seen::from), "{connection:?}");
    Ok(())
}
