/work/main/benches/instructions/target/instructions/release/deps/parking-88ac1cb4c35c4c1a.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/parking-2.2.1/src/lib.rs

/work/main/benches/instructions/target/instructions/release/deps/libparking-88ac1cb4c35c4c1a.rlib: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/parking-2.2.1/src/lib.rs

/work/main/benches/instructions/target/instructions/release/deps/libparking-88ac1cb4c35c4c1a.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/parking-2.2.1/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/parking-2.2.1/src/lib.rs:
