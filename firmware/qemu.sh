# Sourced by the scripts that run images: the boards in QEMU.

# The targets, each with the board that runs it.
board_targets=(thumbv6m-none-eabi thumbv7m-none-eabi thumbv7em-none-eabihf
    riscv32imac-unknown-none-elf riscv32imc-unknown-none-elf)
# Instructions and not time: bit-identical run after run. An instruction takes 2^7 ns, no less than a count of any
# board's timer takes.
exact=(-icount shift=7)

# board TARGET: QEMU's command for it, a word a line.
board() {
    case $1 in
        thumbv6m-*) printf '%s\n' qemu-system-arm -machine microbit ;;
        thumbv7m-*) printf '%s\n' qemu-system-arm -machine lm3s6965evb -cpu cortex-m3 ;;
        thumbv7em-*) printf '%s\n' qemu-system-arm -machine mps2-an386 -cpu cortex-m4 ;;
        riscv32*) printf '%s\n' qemu-system-riscv32 -machine virt -bios none ;;
        *) echo "no board for $1" >&2 && return 1 ;;
    esac
}

# on_board SECONDS TARGET IMAGE [QEMU'S ARGUMENTS…]: runs it, prints the command first, on stderr. Its exit code is the
# program's, 124 when the time is over.
on_board() {
    local seconds=$1 target=$2 image=$3 command arg=
    shift 3
    [[ ${1:-} != -icount ]] || arg=,arg=image,arg=exact
    mapfile -t command < <(board "$target")
    command=(timeout "$seconds" "${command[@]}" "$@" -nographic
        -semihosting-config "enable=on,target=native$arg" -kernel "$image")
    printf '+ %s\n' "${command[*]}" >&2
    "${command[@]}" </dev/null
}
