//! Socket diagnostics against the running kernel, with connections of the tests' own.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

#[path = "../support/cgroup.rs"]
mod cgroup;
mod cgroups;
#[path = "../support/connection.rs"]
mod connection;
mod connections;
mod namespaces;
#[path = "../support/privilege.rs"]
mod privilege;
mod support;
