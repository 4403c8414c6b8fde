/work/main/tests/mutants/target/debug/deps/apiqueue_mutants-8754b6b294294b75.d: src/main.rs src/killers.rs src/mutate.rs src/report.rs src/rules.rs src/run.rs src/syntax.rs src/tree.rs

/work/main/tests/mutants/target/debug/deps/apiqueue_mutants-8754b6b294294b75: src/main.rs src/killers.rs src/mutate.rs src/report.rs src/rules.rs src/run.rs src/syntax.rs src/tree.rs

src/main.rs:
src/killers.rs:
src/mutate.rs:
src/report.rs:
src/rules.rs:
src/run.rs:
src/syntax.rs:
src/tree.rs:

# env-dep:CARGO_MANIFEST_DIR=/work/main/tests/mutants
