//! The parts of the observer program: sources of events, what is done with findings, and the commands.

pub mod demo;
pub mod doctor;
pub mod source;
