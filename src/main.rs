//! The `fanin` program.
fn main() {}
