#!/usr/bin/env bash
# The longest stretch with interrupts off, in instructions, where critical sections stand in for compare-and-swap
# (thumbv6m), counted in the disassembly; and that there is none where they need not (thumbv7m).
#
# Prints each stretch, from `cpsid i` to the `msr PRIMASK` that puts back what was. Fails when one branches back, calls,
# branches out of itself, or is longer than the limit: nothing may loop with interrupts off.
#
# Needs the target (see toolchain.sh) and binutils-arm-none-eabi; OBJDUMP names another objdump.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/toolchain.sh"

build=${CARGO_TARGET_DIR:-$here/../target/firmware}
target=thumbv6m-none-eabi
# Loads, compares, stores, restores; what the compiler mixes in comes on top.
limit=16

# disassembly TARGET: of an image with every operation, in which all critical sections are the core's.
disassembly() {
    (cd "$here" && bare_cargo "$1" build --locked --quiet --release -p sizes --features cancel,control \
        --target-dir "$build") >&2
    "${OBJDUMP:-arm-none-eabi-objdump}" -d --no-show-raw-insn "$build/$1/release/sizes"
}

masked=$(disassembly thumbv7m-none-eabi)
if grep -qE 'cpsid|PRIMASK|BASEPRI' <<<"$masked"; then
    echo "latency: thumbv7m has compare-and-swap and masks interrupts all the same" >&2
    exit 1
fi
echo "thumbv7m: never off"

disassembly "$target" | awk -v limit="$limit" '
    function number(hex,    n, i) {
        n = 0
        for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
        return n
    }
    function bad(why) { print "latency: at " $1 " " why > "/dev/stderr"; failed = 1 }
    /^[0-9a-f]+ <.*>:$/ {
        if (off) bad("a function ends with interrupts off")
        off = 0
        next
    }
    $1 !~ /^[0-9a-f]+:$/ { next }
    $2 == "cpsid" {
        if (off) bad("interrupts are off already")
        off = 1; length_ = 0; farthest = 0; begin = $1
        text = ""
        next
    }
    off {
        length_++
        text = text "  " $2
        here = number(substr($1, 1, length($1) - 1))
        if ($2 ~ /^(bl|blx|bx)$/ || $0 ~ /pop.*pc/) bad("leaves with interrupts off")
        else if ($2 ~ /^(b|b\.n|b[a-z][a-z](\.n|\.w)?)$/ && $2 !~ /^bic|^bkpt/) {
            to = number($3)
            if (to <= here) bad("loops with interrupts off")
            if (to > farthest) farthest = to
        }
        if ($2 == "msr" && $3 ~ /PRIMASK/) {
            if (farthest > here) bad("a branch passes the end")
            printf "%s %2d instructions:%s\n", begin, length_, text
            stretches++
            if (length_ > longest) longest = length_
            off = 0
        }
    }
    END {
        if (!stretches) { print "latency: no critical section found: the search is blind" > "/dev/stderr"; exit 1 }
        printf "%d stretches, the longest %d instructions; none loops or calls\n", stretches, longest
        if (longest > limit) { print "latency: more than " limit > "/dev/stderr"; failed = 1 }
        exit failed
    }'
