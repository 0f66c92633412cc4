//! `observer`: watches MySQL connections for clients that stop reading.
fn main() {}
