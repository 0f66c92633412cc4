//! What is said to people: the same words in the view, the plain output, the log and the report.

mod clean;
mod headline;
mod sentence;
mod state;
mod units;

pub use headline::{Headline, headline};
pub use units::{Bytes, Seconds};
