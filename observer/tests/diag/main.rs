//! Socket diagnostics against the running kernel, with connections of the tests' own.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

#[path = "../support/connection.rs"]
mod connection;
mod connections;
mod namespaces;
mod support;
