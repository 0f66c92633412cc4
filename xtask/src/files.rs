//! Files and directories, with errors that name them.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// Makes a directory and those above it, where they are not there.
pub(crate) fn make_directory(place: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(place).with_context(|| format!("making {}", place.display()))
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove_directory(place: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", place.display()))
        }
        _ => Ok(()),
    }
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// The sum of a file, as sha256sum(1) prints it.
pub(crate) fn sha256(path: &Path) -> anyhow::Result<String> {
    let mut sum = String::new();
    for byte in Sha256::digest(read(path)?) {
        write!(sum, "{byte:02x}")?;
    }
    Ok(sum)
}
