#!/usr/bin/env bash
# What a queue costs on bare metal, in bytes: flash, RAM, and whether anything in it can panic.
#
#   firmware/sizes.sh            measure, check the limits, compare with sizes.txt (more than 5 % of growth fails)
#   firmware/sizes.sh --record   measure, check the limits, write sizes.txt
#
# Flash is the difference between two images, with the queue and without: code, constants, and the queue's first
# state. RAM is the size of the queue's symbol, 16 waiters and the pacing.
#
# Needs the targets (see toolchain.sh) and binutils-arm-none-eabi; NM names another nm.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/toolchain.sh"

record="$here/sizes.txt"
build=${CARGO_TARGET_DIR:-$here/../target/firmware}
nm=${NM:-arm-none-eabi-nm}
size=${SIZE:-arm-none-eabi-size}
targets=(thumbv6m-none-eabi thumbv7em-none-eabihf)
flash_limit=2048
ram_limit=256
growth_percent=5

fail() {
    echo "sizes: $*" >&2
    exit 1
}

# image TARGET [FEATURE]: builds one image and prints its path.
image() {
    local target=$1 feature=${2:-} image
    image=$build/sizes-$target${feature:+-$feature}
    (cd "$here" && bare_cargo "$target" build --locked --quiet --release -p sizes \
        --features "$feature" --target-dir "$build") >&2
    cp "$build/$target/release/sizes" "$image"
    echo "$image"
}

# flash IMAGE: the bytes that are written to the board: code and constants, and the first state of what is in RAM.
flash() {
    "$size" "$1" | awk 'NR == 2 { print $1 + $2 }'
}

# symbol IMAGE NAME: the size of the one symbol whose path ends in NAME.
symbol() {
    local hex
    hex=$("$nm" -C -S "$1" | awk -v name="$2" '$4 ~ ("(^|::)" name "$") { print $2 }')
    [[ $hex =~ ^[0-9a-f]+$ ]] || fail "no single symbol $2 in $1"
    echo $((16#$hex))
}

# panics IMAGE: what in the image can panic, or nothing.
panics() {
    "$nm" -C "$1" | grep -E 'core::panicking|rust_begin_unwind|a_panic_is_linked' || true
}

# The search for panics has to find the one that is there on purpose.
control=$(image "${targets[0]}" panicking)
[[ -n $(panics "$control") ]] || fail "the image with a panic on purpose shows none: the search is blind"

table=$(mktemp)
trap 'rm -f "$table"' EXIT
for target in "${targets[@]}"; do
    with=$(image "$target")
    without=$(image "$target" baseline)
    found=$(panics "$with")
    [[ -z $found ]] || fail "$target can panic:"$'\n'"$found"
    flash=$(($(flash "$with") - $(flash "$without")))
    queue=$(symbol "$with" QUEUE)
    slot=$(symbol "$with" SLOT_SIZE)
    echo "$target $flash $queue $slot" >>"$table"
done

show() {
    {
        echo "target flash queue-of-16 slot"
        cat "$table"
    } | column -t
}
echo "bytes, $(bare_rustc "${targets[0]}"); no panic in any image"
show

while read -r target flash queue slot; do
    ((queue <= ram_limit)) || fail "$target: a queue of 16 takes $queue bytes of RAM, the limit is $ram_limit"
    [[ $target != thumbv6m-none-eabi ]] || ((flash <= flash_limit)) ||
        fail "$target: the queue takes $flash bytes of flash, the limit is $flash_limit"
done <"$table"

if [[ ${1:-} == --record ]]; then
    {
        echo "# Bytes, by firmware/sizes.sh --record; $(bare_rustc "${targets[0]}")"
        show | sed '1s/^/# /'
    } >"$record"
    echo "recorded in $record"
    exit
fi

# grown TARGET WHAT NOW THEN
grown() {
    (($3 * 100 <= $4 * (100 + growth_percent))) ||
        fail "$1: $2 grew from $4 to $3 bytes, more than $growth_percent % (--record accepts it)"
}
while read -r target flash queue slot; do
    read -r _ flash_then queue_then slot_then < <(grep "^$target " "$record") ||
        fail "$record knows no $target (--record writes it)"
    grown "$target" flash "$flash" "$flash_then"
    grown "$target" queue "$queue" "$queue_then"
    grown "$target" slot "$slot" "$slot_then"
done <"$table"
