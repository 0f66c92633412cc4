//! What malloc keeps of memory that was freed.

/// More than this much at its end, the heap gives back; what is larger has pages of its own.
#[cfg(target_env = "gnu")]
const KEPT: std::ffi::c_int = 256 * 1024;

/// Has malloc give back what is freed, for a command that goes on for weeks.
///
/// Before that, glibc's malloc keeps the more the larger something was that was freed once, and what the loader of the
/// kernel programs needs for a moment is larger than all that comes later; and it keeps some for each thread that
/// allocates, although here one makes what another frees (mallopt(3)).
pub(super) fn keep_little() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (nix::libc::M_ARENA_MAX, 1),
        (nix::libc::M_TRIM_THRESHOLD, KEPT),
        (nix::libc::M_MMAP_THRESHOLD, KEPT),
    ] {
        // SAFETY: it may be called at any time, and with any value. One that it refuses changes nothing.
        let _ = unsafe { nix::libc::mallopt(parameter, value) };
    }
}
