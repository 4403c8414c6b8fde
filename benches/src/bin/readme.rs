//! Measures everything and puts it into the README of the benchmarks, with its pictures:
//! `cargo run --release -p apiqueue-benches --bin readme`. Takes about twenty minutes; better on a machine that does nothing else.
//! What `core` and `runtime` print goes there as it is; `peers` and `scale` write their own tables.
#![allow(clippy::unwrap_used, missing_docs)]

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use apiqueue_benches::readme;

fn main() -> ExitCode {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |bin: &str| {
        let mut command = Command::new(&cargo);
        command.args(["run", "--release", "-p", "apiqueue-benches", "--bin", bin]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    };
    let mut blocks = Vec::new();
    for bin in ["core", "runtime"] {
        eprintln!("{bin}");
        let output = run(bin).output().unwrap();
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return ExitCode::FAILURE;
        }
        let said = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
        let block = format!("```text\n{}\n```", lines.join("\n").trim_end());
        blocks.push((bin.to_owned(), block));
    }
    if let Err(why) = readme::replace(Path::new(readme::PAGE), &blocks) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    for bin in ["scale", "peers"] {
        if !run(bin)
            .args(["--", "--readme"])
            .status()
            .unwrap()
            .success()
        {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
