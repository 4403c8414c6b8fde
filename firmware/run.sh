#!/usr/bin/env bash
# Builds the images for every target, runs them on QEMU's boards, and the delay's source on the host. Stops at the first
# failure.
#
#   firmware/run.sh              all targets
#   firmware/run.sh TARGET…      those
#
# Needs the targets (see toolchain.sh), qemu-system-arm and, for RISC-V, qemu-system-misc.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/toolchain.sh"
source "$here/qemu.sh"

build=${CARGO_TARGET_DIR:-$here/../target/firmware}
# Many times what a run takes; a hang ends here.
seconds=60
targets=("$@")
((${#targets[@]})) || targets=("${board_targets[@]}")
current=none
trap '(($? == 0)) || echo "FAILED: $current" >&2' EXIT

for target in "${targets[@]}"; do
    current="build for $target"
    printf '\n== %s\n' "$target"
    (cd "$here" && bare_cargo "$target" build --locked --quiet --release \
        -p delay -p interrupt -p tasks -p wrap --target-dir "$build")
    images=$build/$target/release
    for program in wrap delay tasks interrupt; do
        current="$program on $target, instructions counted"
        on_board "$seconds" "$target" "$images/$program" "${exact[@]}"
        echo "ok: $current"
    done
    # In real time interrupts come at other moments on each run.
    current="interrupt on $target, in real time"
    on_board "$seconds" "$target" "$images/interrupt"
    echo "ok: $current"
done

printf '\n== host\n'
current="delay on the host"
(cd "$here" && cargo run --locked --quiet --release -p delay --example host --target-dir "$build")
current=all
echo "all passed, $SECONDS s"
