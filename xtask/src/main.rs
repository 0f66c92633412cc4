//! Set-up, build, demo, test and bench of observer.
fn main() {}
