//! What is known of the host: what an expert would ask for first.

use std::fs;
use std::io::{self, Write};

use serde::Serialize;

/// The settings of the kernel that decide how a stall goes (Documentation/networking/ip-sysctl.rst).
const SETTINGS: [&str; 10] = [
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_orphan_retries",
    "net.ipv4.tcp_keepalive_time",
];

/// The host as it is now. What cannot be read is left out.
#[derive(Serialize)]
struct Facts {
    observer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<usize>,
    /// Load averages of 1, 5 and 15 minutes (proc_loadavg(5)).
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<String>,
    /// `MemTotal` and `MemAvailable` (proc_meminfo(5)).
    memory: Vec<String>,
    /// What the kernel has put aside for sockets (/proc/net/sockstat).
    sockets: Vec<String>,
    settings: Vec<Setting>,
}

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: String,
}

/// Writes them as JSON.
///
/// # Errors
///
/// When they cannot be written.
pub(super) fn write(out: &mut impl Write) -> io::Result<()> {
    let facts = Facts {
        observer: env!("CARGO_PKG_VERSION"),
        host: read("/proc/sys/kernel/hostname"),
        kernel: read("/proc/sys/kernel/osrelease"),
        system: lines("/etc/os-release", &["PRETTY_NAME="]).pop(),
        cpus: std::thread::available_parallelism().ok().map(usize::from),
        load: read("/proc/loadavg"),
        memory: lines("/proc/meminfo", &["MemTotal:", "MemAvailable:"]),
        sockets: lines("/proc/net/sockstat", &["TCP:"]),
        settings: SETTINGS.iter().filter_map(|name| setting(name)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &facts)?;
    writeln!(out)
}

fn setting(name: &'static str) -> Option<Setting> {
    let value = read(&format!("/proc/sys/{}", name.replace('.', "/")))?;
    Some(Setting { name, value: value.split_whitespace().collect::<Vec<_>>().join(" ") })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn lines(path: &str, beginnings: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_wanted = |line: &&str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    text.lines().filter(is_wanted).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
