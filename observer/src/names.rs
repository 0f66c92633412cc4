//! Names of hosts in a static program.
//!
//! The GNU C Library finds addresses by whatever /etc/nsswitch.conf names (nsswitch.conf(5)), and loads libraries for that at
//! run time. Into a static program it loads those of the host, which are of another version than itself, and crashes.
//! `files` and `dns` are inside of it since 2.34.

/// Lets names of hosts be looked up in /etc/hosts and the DNS only, where the C library is linked into the program.
///
/// To be called before anything is looked up, while there is one thread.
pub fn stay_inside() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    {
        use std::ffi::{CStr, c_char, c_int};

        // <nss.h>
        unsafe extern "C" {
            fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
        }
        const DATABASE: &CStr = c"hosts";
        const SERVICES: &CStr = c"files dns";
        // SAFETY: both are strings with an end, which the function reads while it runs, and nothing looks up names yet. It
        // fails for a database it does not know or for lack of memory; then the look-up is what it was.
        let _ = unsafe { __nss_configure_lookup(DATABASE.as_ptr(), SERVICES.as_ptr()) };
    }
}
