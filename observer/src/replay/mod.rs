//! A recording seen again: on a clock that can be paused, hurried and set back, or as lines as fast as can be.
//!
//! | file | what it does |
//! |---|---|
//! | `clock` | the time that is shown |
//! | `extent` | how long a recording is, and where something is found in it |
//! | `judging` | a recording on its way through the judgement to an output |
//! | `follow` | what somebody still writes, as a source like any other |
//! | `player` | the loop over keys, time and recording |

mod clock;
mod extent;
mod follow;
mod judging;
mod player;

pub use extent::Extent;
pub use follow::{Follower, GRACE as FOLLOW_GRACE};
pub use judging::{Judging, lines};
pub use player::{Parts, play};
