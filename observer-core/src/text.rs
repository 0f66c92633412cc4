//! What is said to people: the same words in the view, the plain output, the log and the report.

mod asked;
mod clean;
mod headline;
mod sentence;
mod state;
mod units;

pub use asked::{logged_in, told_statement, waits_for};
pub(crate) use clean::clean;
pub use headline::{Headline, headline};
pub(crate) use sentence::{countdown, was_used};
pub use units::{Bytes, Seconds, setting};
