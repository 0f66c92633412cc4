//! bpf-linker, which links the kernel programs.

use std::env;
use std::path::Path;

use crate::places::cargo;
use crate::step::run_quietly;

use super::Item;

/// Debian's LLVM of the same version as its rustc-web.
const LLVM: &str = "/usr/lib/llvm-22";

pub(super) const ITEM: Item = Item {
    directory: "bpf-linker",
    proof: "bin/bpf-linker",
    what: "bpf-linker 0.13.0",
    why: "building the kernel programs",
    build,
};

fn build(place: &Path) -> anyhow::Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut llvm_first = std::ffi::OsString::from(format!("{LLVM}/bin:"));
    llvm_first.push(path);
    run_quietly(
        cargo()
            .args(["install", "bpf-linker", "--version", "0.13.0", "--locked"])
            .args(["--no-default-features", "--features", "llvm-22", "--root"])
            .arg(place)
            .env("PATH", llvm_first)
            .env("LLVM_SYS_221_PREFIX", LLVM),
    )
}
