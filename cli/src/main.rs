//! The command `apiqueue`: pacing for programs that nobody wants to change.

fn main() {}
