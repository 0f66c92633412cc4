//! The log of years: a directory of event logs, each the next part of the one before.
//!
//! | file | what it does |
//! |---|---|
//! | `part` | the names of the parts |
//! | `directory` | the directory: whose it is, what is in it, what a crash left behind |
//! | `rotation` | writes part after part, as one [`Sink`](crate::log::Sink) |
//! | `keeper` | compresses finished parts and keeps all of them within their cap, on a thread of its own |

mod directory;
mod keeper;
mod part;
mod rotation;

pub use directory::{Directory, Mended, parts};
pub use keeper::Keeper;
pub use part::Part;
pub use rotation::{Limits, Rotation};
