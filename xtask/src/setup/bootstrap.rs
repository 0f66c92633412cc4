//! Debian systems beside this one, for what is in them.

use std::path::Path;

use crate::root;
use crate::step::run_quietly;

/// Makes a system of `suite` with `packages`, separated by commas, at `place`: in a directory, or an archive if it is called
/// one. How much is in it besides, `variant` says (mmdebstrap(1)).
///
/// # Errors
///
/// When this is not root and there is no sudo, which the message names with `what_for`; when something cannot be fetched.
pub(super) fn bootstrap(
    what_for: &str,
    variant: &str,
    packages: &str,
    suite: &str,
    place: &Path,
) -> anyhow::Result<()> {
    run_quietly(
        root::command("mmdebstrap", what_for)?
            .arg(format!("--variant={variant}"))
            .arg(format!("--include={packages}"))
            // A mirror that is a snapshot has an expired release file.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg(suite)
            .arg(place),
    )
}
