//! Tells the compiler which object with the kernel programs is embedded.

use std::path::{Path, PathBuf};

/// Set to the path of an object that was built on the spot, it is embedded in place of the prebuilt one.
const OBJECT: &str = "OBSERVER_EBPF_OBJECT";

fn main() {
    // As it is when this runs, not as it was when this was compiled: the build directory may have been copied.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let prebuilt = Path::new(&package).join("../observer-ebpf/prebuilt/observer.o");
    let object = std::env::var_os(OBJECT).map_or(prebuilt, PathBuf::from);
    assert!(object.is_file(), "{}: no such object; `cargo xtask ebpf` builds it", object.display());
    println!("cargo::rerun-if-env-changed={OBJECT}");
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rustc-env={OBJECT}={}", object.display());
}
