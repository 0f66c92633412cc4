//! The log of years: a directory of event logs, each the next part of the one before.
//!
//! | file | what it does |
//! |---|---|
//! | `part` | the names of the parts |
//! | `directory` | the directory: whose it is, what is in it, what a crash left behind |
//! | `rotation` | writes part after part, as one [`Sink`](crate::log::Sink) |
//! | `keeper` | compresses finished parts and keeps all of them within their cap, on a thread of its own |
//! | `incidents` | hears what is found, and has bundles written |
//! | `followed` | the incidents that go on, and which one a finding belongs to |
//! | `bundle` | what is kept of an incident, written by a thread of its own |
//! | `pending` | the bundles that wait to be written, each incident once |
//! | `excerpt` | the lines of the log that are about one connection |
//! | `facts` | what is known of the host |
//! | `files` | how all that is made, replaced and removed |

mod bundle;
mod directory;
mod excerpt;
mod facts;
mod files;
mod followed;
mod incidents;
mod keeper;
mod part;
mod pending;
mod rotation;

pub use bundle::Bundler;
pub use directory::{Directory, Mended};
pub use incidents::Incidents;
pub use keeper::Keeper;
pub use part::{Part, parts};
pub use rotation::{Limits, Rotation};
