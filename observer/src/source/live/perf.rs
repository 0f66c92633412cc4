//! What it takes to open the perf events that tracepoints are attached by.

use std::os::fd::{FromRawFd as _, OwnedFd};
use std::thread;

use nix::libc;

use crate::privilege::{Capabilities, Capability, keep};

/// `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_DUMMY` (include/uapi/linux/perf_event.h): an event that counts nothing.
const SOFTWARE: u32 = 1;
const DUMMY: u32 = 9;
/// The first version of `struct perf_event_attr`, which every kernel takes, in words of four bytes.
const WORDS: u8 = 16;

/// Whether they take `CAP_SYS_ADMIN` here. By perf_event_open(2) `CAP_PERFMON` is enough, but Debian has kernels where
/// kernel.perf_event_paranoid is 3, which asks for more; the 5.10 of Debian 11 is one.
pub(super) fn takes_sys_admin() -> bool {
    // In a thread of its own, as what it gives up is gone.
    let tried = thread::Builder::new().name("perf".to_owned()).spawn(|| {
        let few = Capabilities::of(&[Capability::Bpf, Capability::Perfmon]);
        keep(few, Capabilities::NONE).is_ok() && !opens()
    });
    tried.is_ok_and(|thread| thread.join().unwrap_or(false))
}

/// Whether this thread can open one.
fn opens() -> bool {
    let mut attributes = [0_u32; WORDS as usize];
    // Its type, its size, and the lower half of what is counted: like the kernel programs, for little-endian hosts only.
    attributes[..3].copy_from_slice(&[SOFTWARE, 4 * u32::from(WORDS), DUMMY]);
    // SAFETY: the attributes are as long as they say, and the kernel only reads them.
    let opened = unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0, -1, -1, 0) };
    let Ok(file) = libc::c_int::try_from(opened) else { return false };
    if file < 0 {
        return false;
    }
    // SAFETY: it has just been opened, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(file) });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_opened_where_that_is_allowed() {
        // The attributes are right where root may.
        if Capabilities::effective().unwrap().has(Capability::SysAdmin) {
            assert!(opens());
        }
    }
}
