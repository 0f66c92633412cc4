//! Socket diagnostics against the running kernel, with connections of the tests' own.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod connections;
mod namespaces;
mod support;
