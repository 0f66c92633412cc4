//! What the program says of itself, on standard error.

use std::fmt::Arguments;
use std::io::{self, Write as _};

/// Says something. Nobody has to be listening.
pub(crate) fn say(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "observer: {text}");
}
