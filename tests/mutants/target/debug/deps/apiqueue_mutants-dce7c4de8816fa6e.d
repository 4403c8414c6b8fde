/work/main/tests/mutants/target/debug/deps/apiqueue_mutants-dce7c4de8816fa6e.d: src/main.rs src/killers.rs src/mutate.rs src/report.rs src/rules.rs src/run.rs src/syntax.rs src/tree.rs Cargo.toml

/work/main/tests/mutants/target/debug/deps/libapiqueue_mutants-dce7c4de8816fa6e.rmeta: src/main.rs src/killers.rs src/mutate.rs src/report.rs src/rules.rs src/run.rs src/syntax.rs src/tree.rs Cargo.toml

src/main.rs:
src/killers.rs:
src/mutate.rs:
src/report.rs:
src/rules.rs:
src/run.rs:
src/syntax.rs:
src/tree.rs:
Cargo.toml:

# env-dep:CARGO_MANIFEST_DIR=/work/main/tests/mutants
# env-dep:CLIPPY_ARGS=
# env-dep:CLIPPY_CONF_DIR
