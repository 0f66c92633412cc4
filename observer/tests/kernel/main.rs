//! The kernel programs on real TCP: every test makes its own traffic on loopback and reads back what was told of it.

mod harness;
mod losses;
mod resets;
mod story;
mod surroundings;
