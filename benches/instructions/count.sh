#!/usr/bin/env bash
# How many instructions the hot paths take, by callgrind. Times on a busy machine don't repeat; these do.
#
#   benches/instructions/count.sh            count, compare with counts.txt (more than 2 % of growth fails)
#   benches/instructions/count.sh --record   count, write counts.txt
#
# The counts belong to a compiler: with another one than recorded they are shown and not compared. Plain callgrind, as
# gungraun's runner takes longer to build than all of this to run.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
record=$here/counts.txt
build=${CARGO_TARGET_DIR:-$here/../../target}
# As in main.rs.
times=1000
growth_percent=2
paths=(core.cycle core.cycle-u32 core.10-queued core.100000-queued core.weighted core.try_acquire core.advance-not-due
    core.enqueue-leave core.wake core.set_rate core.hold-resume std.free-permit std.try_acquire std.wait_turn std.release std.account std.account-free
    std.registry)

fail() {
    echo "instructions: $*" >&2
    exit 1
}

command -v valgrind >/dev/null || fail "valgrind is not installed"
(cd "$here" && cargo build --quiet --release --target-dir "$build")

# count PATH: the instructions of all its rounds.
count() {
    local out count
    # An empty environment, as its size moves the stack.
    out=$(env -i valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=measured \
        "$build/release/apiqueue-instructions" "$1" 2>&1) || fail "$1: $out"
    count=$(sed -n 's/.*Collected : \([0-9]*\)$/\1/p' <<<"$out")
    [[ $count =~ ^[0-9]+$ ]] && ((count >= times)) || fail "$1: nothing was counted"
    echo "$count"
}

compiler=$(rustc -V)
if [[ ${1:-} == --record ]]; then
    lines="# By benches/instructions/count.sh --record; $compiler"$'\n'"# path instructions of $times rounds"
    for path in "${paths[@]}"; do
        lines+=$'\n'"$path $(count "$path")"
    done
    printf '%s\n' "$lines" >"$record"
    cat "$record"
    exit
fi

compared=yes
grep -qF "; $compiler" "$record" || compared=no
failed=()
printf '%-22s %9s %9s %8s\n' "instructions a round" recorded now change
for path in "${paths[@]}"; do
    now=$(count "$path")
    then=$(sed -n "s/^$path \([0-9]*\)$/\1/p" "$record")
    [[ -n $then ]] || fail "$path is not recorded (--record does)"
    printf '%-22s %9.1f %9.1f %+7.1f%%\n' "$path" "${then}e-3" "${now}e-3" \
        "$(awk -v a="$then" -v b="$now" 'BEGIN { print 100 * (b - a) / a }')"
    ((now * 100 > then * (100 + growth_percent) && now - then >= times)) && failed+=("$path")
    ((now * (100 + growth_percent) < then * 100)) && echo "  less than recorded: --record keeps it"
done
if [[ $compared == no ]]; then
    echo "not compared: $(head -1 "$record") and this is $compiler"
elif ((${#failed[@]})); then
    fail "${failed[*]} grew by more than $growth_percent % (--record accepts it)"
fi
