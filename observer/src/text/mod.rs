//! Text that people read: made safe for a terminal, fitted to a width, in forms that do not jump.

mod fit;
mod json;
mod name;
mod safe;
mod units;
mod url;

pub use fit::{fit, shorten_middle, width, wrap};
pub use json::without_controls;
pub use name::{in_name, time_in_name};
pub use safe::safe;
pub use units::{severity, short};
pub use url::without_paths;
