//! Writes `src/bound/<service>.rs`: `cargo run -p piton-aws --example generate`.
//!
//! To be repeated after an update of an `aws-sdk-*` crate or of the models. What is read and what is
//! written is in `generator`.

#![allow(clippy::print_stdout, reason = "a development tool says which files it wrote")]

use std::fs;

mod generator;
mod source;

fn main() -> Result<(), String> {
    for (path, text) in generator::generate()? {
        fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{} {} lines", path.display(), text.lines().count());
    }
    Ok(())
}
