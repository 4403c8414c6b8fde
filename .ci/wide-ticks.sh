#!/usr/bin/env bash
# 64-bit ticks on a target without 64-bit atomics of its own: a queue over them must not compile, for the reason that
# the core gives; with the feature `wide-ticks-fallback` it must; and 32-bit ticks always do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source firmware/toolchain.sh
root=$PWD
target=riscv32imac-unknown-none-elf
crate=target/wide-ticks

# crate_over WORD: writes a crate that makes a queue over ticks of that width.
crate_over() {
    mkdir -p "$crate/src"
    cat >"$crate/Cargo.toml" <<TOML
[package]
name = "wide-ticks"
version = "0.0.0"
edition = "2024"

[dependencies]
apiqueue-core = { path = "$root/core" }

[features]
accepted = ["apiqueue-core/wide-ticks-fallback"]

[workspace]
TOML
    cat >"$crate/src/lib.rs" <<RUST
#![no_std]
use apiqueue_core::{Clock, Queue, Rate};

pub struct Board;

impl Clock for Board {
    type Tick = $1;

    fn now(&self) -> $1 {
        0
    }
}

pub fn queue(rate: Rate<$1>) -> Queue<Board, 4> {
    Queue::new(Board, rate)
}
RUST
}

check() {
    (cd "$crate" && bare_cargo "$target" check --quiet --target-dir "$root/target/bare" "$@")
}

crate_over u32
check
echo "u32 ticks on $target: compiles"

crate_over u64
if said=$(check 2>&1); then
    echo "u64 ticks on $target compiled without being asked for" >&2
    exit 1
fi
if [[ $said != *"can't count ticks on this target"* ]]; then
    echo "u64 ticks on $target were refused for another reason:"$'\n'"$said" >&2
    exit 1
fi
echo "u64 ticks on $target: refused"

check --features accepted
echo "u64 ticks on $target with wide-ticks-fallback: compiles"
