//! The build script of every image here: links by the runtime's script, with the board's `memory.x`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=../link.rs");
    println!("cargo:rerun-if-changed=../memory");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let bare = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    let (board, scripts): (_, &[_]) = match arch.as_str() {
        "arm" if bare => ("arm", &["link.x"]),
        "riscv32" if bare => ("riscv", &["memory.x", "link.x"]),
        _ => return, // the host's part of a package
    };
    println!(
        "cargo:rustc-link-search={}/../memory/{board}",
        env!("CARGO_MANIFEST_DIR")
    );
    for script in scripts {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
