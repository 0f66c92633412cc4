//! A machine of qemu's: boots, plays, and is switched off.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::sleep;
use super::variant::{Fault, Variant};
use crate::setup::kernels::Installed;
use crate::step::run_quietly;

/// After so many seconds a machine is taken for dead. It takes half a minute on a processor of its own.
const LIMIT: u32 = 900;
/// How much of a dead machine's console is shown.
const TAIL: usize = 25;
/// What the kernel writes when something is wrong with it.
const ALARMS: [&str; 5] = ["BUG:", "WARNING:", "Oops", "Kernel panic", "Call Trace"];

/// Boots a kernel with this first file system, and leaves what came out of it in `place`.
///
/// It has one CPU and 1 GiB. Every instruction takes it a nanosecond and idling takes no time, so that nothing in it
/// depends on how fast or how busy this host is.
pub(super) fn play(
    kernel: &Installed,
    initramfs: &Path,
    variant: Variant,
    place: &Path,
) -> anyhow::Result<()> {
    let console = place.join("console.log");
    let result = place.join("out.tar.gz");
    let serial = |file: &Path| format!("file:{}", file.display());
    let mut qemu = Command::new("timeout");
    qemu.arg("--kill-after=10").arg(LIMIT.to_string()).arg("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off"]);
    if variant.fault() == Fault::Sleep {
        // No time passes in a machine that sleeps: the clock on its battery has to be the host's.
        let socket = place.join("qmp");
        sleep::watch(&socket)?;
        qemu.args(["-rtc", "clock=host", "-qmp"]).arg(format!("unix:{}", socket.display()));
    } else {
        qemu.args(["-rtc", "clock=vm"]);
    }
    qemu.args([
        "-smp",
        "1",
        "-m",
        "1024",
        "-nic",
        "none",
        "-display",
        "none",
        "-monitor",
        "none",
        "-no-reboot",
    ]);
    qemu.arg("-kernel").arg(kernel.image()).arg("-initrd").arg(initramfs);
    // What is no parameter of the kernel's is in the first process's environment.
    let words = format!("without={} fault={}", variant.without(), variant.fault().word());
    qemu.arg("-append").arg(format!("console=ttyS0 panic=-1 quiet {words}"));
    qemu.arg("-serial").arg(serial(&console)).arg("-serial").arg(serial(&result));
    let ended =
        qemu.stdin(Stdio::null()).output().context("starting qemu-system-x86_64: `cargo xtask setup`")?;
    let said = fs::read(&console).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last_words = || format!("\n{}{}", String::from_utf8_lossy(&ended.stderr).trim_end(), tail(&said));
    match ended.status.code() {
        Some(0) => {}
        // timeout(1)
        Some(124 | 137) => bail!("no end within {LIMIT} s; it says last:{}", last_words()),
        _ => bail!("qemu failed with {}:{}", ended.status, last_words()),
    }
    let alarm = said.lines().find(|line| ALARMS.iter().any(|alarm| line.contains(alarm)));
    ensure!(
        alarm.is_none(),
        "the kernel says {:?}; its last words:{}",
        alarm.unwrap_or_default(),
        last_words()
    );
    let handed_over = fs::metadata(&result).is_ok_and(|file| file.len() > 0);
    ensure!(handed_over, "it ended without handing over anything; it says last:{}", last_words());
    run_quietly(Command::new("tar").arg("-xzf").arg(&result).arg("-C").arg(place))
}

/// The last lines of a console, without what would do something to a terminal.
fn tail(console: &str) -> String {
    let lines: Vec<_> = console.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(TAIL)..].iter();
    last.map(|line| format!("\n    | {}", line.replace(char::is_control, ""))).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_last_lines_of_a_console() {
        let console = format!("first\r\n{}\x1b[2Jlast\r\n\r\n", "more\r\n".repeat(TAIL - 1));
        let tail = tail(&console);
        assert_eq!(tail.lines().count(), TAIL + 1);
        assert!(tail.starts_with("\n    | more\n") && tail.ends_with("\n    | [2Jlast"), "{tail}");
    }
}
