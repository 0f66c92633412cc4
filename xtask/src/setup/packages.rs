//! Debian packages.

use std::process::Command;

use crate::root;
use crate::step::{run_quietly, step};

/// A package and why it is needed.
///
/// The `-core` package of MariaDB's server brings it without a service: nothing runs that a test did not start.
const PACKAGES: &[(&str, &str)] = &[
    ("mariadb-server-core", "MariaDB's server"),
    ("mariadb-client-core", "what MariaDB's set-up of a data directory calls"),
    ("mariadb-client", "mariadb-binlog, a client that reads the binary log"),
    ("mmdebstrap", "a system that has MySQL's own server, which this one does not"),
    ("iproute2", "network namespaces of the tests"),
    ("openssl", "certificates of the tests' servers"),
    ("podman", "clients in containers"),
    ("runc", "podman's runtime for them, on any kind of cgroups"),
    ("tcpdump", "stamps to compare with"),
    ("tshark", "the bench of reading captures"),
    ("chromium", "a browser for the reports"),
    ("g++", "libFuzzer, for the fuzz targets"),
    ("qemu-system-x86", "the machines that other kernels are booted in"),
    ("busybox-static", "all there is in these machines beside the observer"),
    ("xz-utils", "modules of these kernels, which are compressed"),
    ("libcap2-bin", "capabilities, in tests of too few of them"),
    ("util-linux", "setpriv, mount and unshare"),
    ("python3-venv", "the clients of the tests"),
    ("llvm-22-dev", "bpf-linker"),
    ("libzstd-dev", "bpf-linker"),
    ("zlib1g-dev", "bpf-linker"),
    ("libxml2-dev", "bpf-linker"),
    ("rustc-web", "a rustc of the same LLVM, for the kernel programs"),
    ("rust-web-src", "`core` for the kernel programs' target"),
];

/// Installs the packages that are missing.
pub(super) fn install() -> anyhow::Result<()> {
    let missing: Vec<_> = PACKAGES.iter().filter(|(package, _)| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Debian packages that are missing:");
    for (package, why) in &missing {
        eprintln!("    {package:<20} {why}");
    }
    step("install Debian packages", || {
        run_quietly(apt_get()?.arg("update"))?;
        run_quietly(
            apt_get()?
                .args(["install", "--yes", "--no-install-recommends"])
                .args(missing.iter().map(|(package, _)| package)),
        )
    })
}

fn apt_get() -> anyhow::Result<Command> {
    let mut command = root::command("apt-get", "installing Debian packages")?;
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}
