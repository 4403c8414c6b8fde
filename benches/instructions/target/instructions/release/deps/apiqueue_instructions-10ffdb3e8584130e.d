/work/main/benches/instructions/target/instructions/release/deps/apiqueue_instructions-10ffdb3e8584130e.d: benches/instructions/src/main.rs

/work/main/benches/instructions/target/instructions/release/deps/apiqueue_instructions-10ffdb3e8584130e: benches/instructions/src/main.rs

benches/instructions/src/main.rs:
