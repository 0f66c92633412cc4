//! The constants of this load.

use core::mem::MaybeUninit;

use observer_common::Config;

/// Written by the observer before it loads the object, frozen when the verifier reads it.
///
/// `MaybeUninit` keeps the compiler from taking the zeros here for what will be here.
#[unsafe(no_mangle)]
static CONFIG: MaybeUninit<Config> = MaybeUninit::zeroed();

/// Where the configuration is. Fields are read one by one and by volatile reads ([`field!`]), so that the
/// verifier sees each as the constant it is and removes the branches it rules out.
pub const fn config() -> *const Config {
    CONFIG.as_ptr()
}

/// Reads one field of the configuration: `field!(ports[0])`, `field!(state.sport)`.
macro_rules! field {
    ($($field:tt)+) => {
        // SAFETY: `CONFIG` is there for the life of the program and plain old data.
        unsafe { core::ptr::read_volatile(&raw const (*$crate::config::config()).$($field)+) }
    };
}
pub(crate) use field;
