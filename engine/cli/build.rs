//! How the program is linked. What it is made of is not decided here.
//!
//! The clients of AWS are unoptimised (`Cargo.toml` says why), and that makes for a large program: two
//! things that a linker can do take a fifth off what a run has in memory. Both are done only where it
//! is certain that they can be.

use std::env;
use std::path::Path;
use std::process::Command;

/// The first glibc that reads packed relocations.
const PACKED_SINCE: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=engine/cli/build.rs");
    println!("cargo::rerun-if-env-changed=PITON_PORTABLE_LINK");
    if !is_for_this_linux() {
        return;
    }
    // The loader writes some 700,000 addresses at each start. In the ordinary table they take 17 MB,
    // all of it read before anything runs; packed they take a few hundred kilobytes. The C library
    // must know that form: that of this machine is asked, and a program that is given away is linked
    // with PITON_PORTABLE_LINK=1.
    let is_portable = env::var_os("PITON_PORTABLE_LINK").is_some_and(|value| value != "0");
    if !is_portable && glibc().is_some_and(|known| known >= PACKED_SINCE) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // Functions of the same code are there once. What that breaks is a comparison of functions by
    // address: Rust promises nothing there, and those that SQLite compares have no twins.
    if links_with_lld() {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

fn is_for_this_linux() -> bool {
    let of = |name: &str| env::var(name).unwrap_or_default();
    of("TARGET") == of("HOST")
        && of("CARGO_CFG_TARGET_OS") == "linux"
        && of("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// The version of this machine's C library; nothing when it does not say.
fn glibc() -> Option<(u32, u32)> {
    let said = said_by(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let (major, minor) = said.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether the compiler brings the linker that it uses by itself, and nobody has chosen another.
fn links_with_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_chosen = env::var_os("RUSTC_LINKER").is_some() || flags.contains("link");
    let is_brought = || {
        let compiler = env::var_os("RUSTC")?;
        let root = said_by(Command::new(compiler).args(["--print", "sysroot"]))?;
        let target = env::var("TARGET").ok()?;
        let tools = Path::new(&root).join("lib/rustlib").join(&target).join("bin/gcc-ld/ld.lld");
        // Of the Linux targets only this one links with it unasked.
        Some(target == "x86_64-unknown-linux-gnu" && tools.exists())
    };
    !is_chosen && is_brought().unwrap_or(false)
}

/// What a program says, without the end of its line; nothing when it fails.
fn said_by(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
