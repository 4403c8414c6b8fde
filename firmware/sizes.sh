#!/usr/bin/env bash
# What a queue costs on bare metal, in bytes: flash, RAM, stack, and whether anything in it can panic.
#
#   firmware/sizes.sh            measure, check the limits, compare with sizes.txt (more than 5 % of growth fails)
#   firmware/sizes.sh --record   measure, check the limits, write sizes.txt
#
# | figure | is |
# |---|---|
# | flash.queue | code and constants of enqueue, advance and poll: an image with them less one without |
# | flash.+NAME | the same with that feature of `sizes/` as well |
# | ram.queue-of-16 | the queue's symbol: 16 waiters and the pacing. A `static` takes as much flash again for its first state |
# | ram.slot, ram.waiter | a place in the ring, and what a waiter's holder keeps |
# | stack.CALL | the deepest that a call went, in QEMU, by painting the stack (`stack/`) |
#
# Needs the targets (see toolchain.sh), binutils-arm-none-eabi (NM and SIZE name others), qemu-system-arm and
# qemu-system-misc.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/toolchain.sh"
source "$here/qemu.sh"

record="$here/sizes.txt"
build=${CARGO_TARGET_DIR:-$here/../target/firmware}
nm=${NM:-arm-none-eabi-nm}
size=${SIZE:-arm-none-eabi-size}
targets=("${board_targets[@]}")
sets=(queue cancel control embedded-hal fugit heapless)
# Of flash.queue, where there is one.
declare -A flash_limit=(
    [thumbv6m-none-eabi]=2048
    [riscv32imac-unknown-none-elf]=2400
    [riscv32imc-unknown-none-elf]=2400
)
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

# flash IMAGE: the bytes of code and constants.
flash() {
    "$size" "$1" | awk 'NR == 2 { print $1 }'
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

# measure TARGET: a line "figure bytes" each.
measure() {
    local target=$1 set without with name
    without=$(flash "$(image "$target")")
    for set in "${sets[@]}"; do
        with=$(image "$target" "$set")
        name=$set
        [[ $set == queue ]] || name=+$set
        echo "flash.$name $(($(flash "$with") - without))"
    done
    with=$(image "$target" queue)
    echo "ram.queue-of-16 $(symbol "$with" QUEUE)"
    echo "ram.slot $(symbol "$with" SLOT_SIZE)"
    echo "ram.waiter $(symbol "$with" WAITER_SIZE)"
    (cd "$here" && bare_cargo "$target" build --locked --quiet --release -p stack --target-dir "$build") >&2
    on_board 60 "$target" "$build/$target/release/stack" "${exact[@]}" |
        sed -n 's/^stack //p' | tr ' =' '\n ' | sed 's/^/stack./'
}

rows=()
panicking=
for target in "${targets[@]}"; do
    figures=$(measure "$target")
    mapfile -t -O "${#rows[@]}" rows < <(sed "s/^/$target /" <<<"$figures")
    for set in "${sets[@]}"; do
        found=$(panics "$build/sizes-$target-$set")
        panicking+=${found:+$'\n'"$target with $set can panic:"$'\n'"$found"}
    done
done

compiler=$(bare_rustc "${targets[0]}")
table=$(printf '%s\n' "${rows[@]}" | awk '
    !($1 in column) { column[$1] = ++columns; head = head " " $1 }
    !($2 in row) { row[$2] = ++count; name[count] = $2 }
    { value[row[$2], column[$1]] = $3 }
    END {
        print "bytes" head
        for (r = 1; r <= count; r++) {
            line = name[r]
            for (c = 1; c <= columns; c++) line = line " " value[r, c]
            print line
        }
    }' | column -t)
printf '%s\n%s\n' "$compiler" "$table"
if [[ ${1:-} == --record ]]; then
    {
        printf '# By firmware/sizes.sh --record; %s\n# target figure bytes\n' "$compiler"
        printf '%s\n' "${rows[@]}"
    } >"$record"
    echo "recorded in $record"
fi

[[ -z $panicking ]] || fail "$panicking"
echo "no panic in any image of the queue"

for row in "${rows[@]}"; do
    read -r target figure bytes <<<"$row"
    case $target.$figure in
        *.ram.queue-of-16)
            ((bytes <= ram_limit)) || fail "$target: a queue of 16 takes $bytes bytes of RAM, the limit is $ram_limit"
            ;;
        *.flash.queue)
            limit=${flash_limit[$target]:-$bytes}
            ((bytes <= limit)) || fail "$target: enqueue, advance and poll take $bytes bytes of flash, the limit is $limit"
            ;;
    esac
    then=$(awk -v target="$target" -v figure="$figure" '$1 == target && $2 == figure { print $3 }' "$record")
    [[ -n $then ]] || fail "$record knows no $figure of $target (--record writes it)"
    ((bytes * 100 <= then * (100 + growth_percent))) ||
        fail "$target: $figure grew from $then to $bytes bytes, more than $growth_percent % (--record accepts it)"
done
