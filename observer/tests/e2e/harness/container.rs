//! Containers as podman and runc make them: on a bridge of the host's, each with a network, processes and users of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::holder::Holder;
use super::lab::{Side, cgroup_hierarchies};
use super::names::temporary_directory;

/// Longer than any case takes: those that nobody stops any more are stopped then.
const LIFETIME: &str = "--timeout=180";

/// The containers of one host; removed when dropped.
pub(crate) struct Containers<'a> {
    host: &'a Side,
    place: TempDir,
}

/// A running container whose only process has a connection.
pub(crate) struct Container {
    /// What runs in it.
    _holder: Holder,
    name: &'static str,
    /// Its id: 64 digits.
    pub(crate) id: String,
    /// Its process, as the host counts.
    pub(crate) pid: u32,
    /// The client's address.
    pub(crate) address: SocketAddr,
}

impl<'a> Containers<'a> {
    /// None yet. They need no image: all of them see the host's programs, and have nothing else.
    pub(crate) fn on(host: &'a Side) -> anyhow::Result<Self> {
        let containers = Self { host, place: temporary_directory()? };
        let root = containers.place.path().join("root");
        for directory in ["dev", "etc", "proc", "run", "sys", "tmp", "usr"] {
            fs::create_dir_all(root.join(directory)).context("making the root of the containers")?;
        }
        for link in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{link}"), root.join(link)).context("making the root of the containers")?;
        }
        Ok(containers)
    }

    /// Starts one whose process connects to `server`.
    pub(crate) fn open(&self, name: &'static str, server: SocketAddr) -> anyhow::Result<Container> {
        let mut command = self.podman();
        command.args(["run", "--rm", "--interactive", "--name", name, LIFETIME]);
        // As many as the host gives, which is not enough to give them away without CAP_SYS_RESOURCE otherwise.
        command.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--pids-limit=0"]);
        command.args(["--volume=/usr:/usr:ro", "--rootfs"]).arg(self.place.path().join("root"));
        command.arg("/usr/bin/python3");
        let (holder, port) = Holder::connect(&mut command, server)?;
        let told = self.inspect(name, "{{.Id}} {{.State.Pid}} {{.NetworkSettings.IPAddress}}")?;
        let [id, pid, address] = told.split_whitespace().collect::<Vec<_>>()[..] else {
            anyhow::bail!("podman says {told:?}")
        };
        let address: IpAddr = address.parse().context("reading the container's address")?;
        let pid = pid.parse().context("reading the container's process")?;
        Ok(Container { _holder: holder, name, id: id.to_owned(), pid, address: (address, port).into() })
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&self, container: &Container) -> anyhow::Result<()> {
        super::process::run(self.podman().args(["rm", "--force", "--time=0", container.name]))
    }

    fn inspect(&self, name: &str, what: &str) -> anyhow::Result<String> {
        let output = self.podman().args(["inspect", "--format", what, name]).output().context("podman")?;
        ensure!(output.status.success(), "podman inspect: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// podman in this host's network, with nothing of what else it may have to do here.
    fn podman(&self) -> Command {
        let mut command = self.host.command("podman");
        for (option, directory) in [("--root", "storage"), ("--runroot", "state"), ("--tmpdir", "tmp")] {
            command.arg(option).arg(self.place.path().join(directory));
        }
        // This runtime takes cgroups as it finds them, mixed ones too; systemd need not be there.
        command.args(["--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none"]);
        command
    }
}

impl Drop for Containers<'_> {
    fn drop(&mut self) {
        // Nothing is left over where none was started.
        let _ = self.podman().args(["rm", "--all", "--force", "--time=0"]).output();
        // podman leaves what its containers were in; those of others' containers are not empty.
        for hierarchy in cgroup_hierarchies().unwrap_or_default() {
            for cgroup in ["libpod_parent/conmon", "libpod_parent"] {
                let _ = fs::remove_dir(hierarchy.join(cgroup));
            }
        }
    }
}
