//! The parts of the observer program: sources of events, what is done with findings, and the commands.

pub mod alert;
pub mod app;
pub mod cli;
pub mod command;
pub mod config;
mod counters;
pub mod demo;
mod directory;
pub mod doctor;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod mysql;
pub mod names;
pub mod output;
pub mod panic_hook;
pub mod plain;
pub mod privilege;
pub mod progress;
pub mod record;
pub mod replay;
pub mod report;
pub mod service;
pub mod source;
mod talk;
pub mod text;
pub mod view;
