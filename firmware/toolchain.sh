# Sourced by the scripts that build for bare metal.

# bare_cargo TARGET ARGUMENTS…: `cargo ARGUMENTS… --target TARGET`; prints the command first, on stderr.
#
# With the target's `core` installed (`rustup target add TARGET`), that is all. Without it Debian's packages do:
# rustc-web, cargo-web, rust-web-src (the source of `core`, built along) and lld-22.
bare_cargo() {
    local target=$1 linker command
    shift
    if has_core "$target"; then
        command=(cargo "$@" --target "$target")
    else
        linker=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_LINKER
        command=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc "$linker=ld.lld-22"
            /usr/bin/cargo "$@" -Zbuild-std=core --target "$target")
    fi
    printf '+ %s\n' "${command[*]}" >&2
    "${command[@]}"
}

# bare_rustc TARGET: the version of the compiler that `bare_cargo TARGET` uses.
bare_rustc() {
    if has_core "$1"; then
        rustc --version
    else
        /usr/bin/rustc --version
    fi
}

has_core() {
    [[ -d $(rustc --print target-libdir --target "$1") ]]
}
