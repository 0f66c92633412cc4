//! A machine that has put itself to sleep is woken from outside, through qemu's own protocol (QMP).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// How long it sleeps: longer than the story's net_write_timeout, so that who counts it calls everybody lost.
pub(super) const SLEEP: Duration = Duration::from_secs(15);

/// Listens for qemu at this socket, in a thread that ends with the machine.
pub(super) fn watch(socket: &Path) -> anyhow::Result<JoinHandle<()>> {
    let listener =
        UnixListener::bind(socket).with_context(|| format!("listening at {}", socket.display()))?;
    // Whatever fails here, the machine sleeps on, which its own limit ends.
    Ok(thread::spawn(move || drop(wake(&listener))))
}

fn wake(listener: &UnixListener) -> std::io::Result<()> {
    let (mut qemu, _) = listener.accept()?;
    let lines = BufReader::new(qemu.try_clone()?).lines();
    writeln!(qemu, r#"{{"execute": "qmp_capabilities"}}"#)?;
    for line in lines {
        if serde_json::from_str(&line?).is_ok_and(|told: Value| told["event"] == "SUSPEND") {
            thread::sleep(SLEEP);
            writeln!(qemu, r#"{{"execute": "system_wakeup"}}"#)?;
        }
    }
    Ok(())
}
