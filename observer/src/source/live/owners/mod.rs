//! Whose the sockets are: the processes that have them open, with what is worth knowing of each.
//!
//! The kernel says which inode a socket has, and which process opens or reads it. What such a process is, `/proc` says,
//! and that is read as soon as the process is first heard of, for it may not live long. Who else has the socket open,
//! after a `fork` or because it was passed on, only the open files of all processes say: those are searched for new
//! sockets and for those that stand still, seldom enough to cost little.
//!
//! ```text
//! asks ── thread ── holders     which sockets are to be looked for, and what was told of them
//!                     ├ search   the open files of all processes
//!                     └ process  one process ── secrets, cgroup_path, users
//! ```

mod asks;
mod cgroup_path;
mod holders;
mod process;
mod search;
mod secrets;
mod thread;
mod users;

pub(super) use asks::{Asker, Asks};
pub(super) use thread::spawn;
