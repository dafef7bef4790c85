//! The checker and `piton explain` behind the Language Server Protocol: diagnostics while a runbook is
//! typed, completion, explanations, an outline, and the way to definitions.
//!
//! This crate owns the protocol. What is right or wrong in a script is said by `piton-script`, what AWS
//! has by `piton-models`. It reads the documents that an editor sends and the files beside them; it
//! writes none, and it has no network.
//!
//! # Layout
//! - [`serve`]: the conversation with one editor. `transport`: messages on a byte stream.
//! - `documents`: what is open, and which program it is part of. `diagnostics`: checking that program.
//! - `tokens`, `script`, `cursor`: a text that may not parse, what it defines, where the cursor is in
//!   it. `known`: what a value at the cursor is. `look`: all of them for one question.
//! - `completion`, `hover`, `definition`, `symbols`: the answers. `prelude`, `errors`: pages of the reference.
//! - `lines`, `address`, `shapes`: positions, file addresses, walks through service models.

mod address;
mod completion;
mod cursor;
mod definition;
mod diagnostics;
mod documents;
mod errors;
mod hover;
mod known;
mod lines;
mod look;
mod prelude;
mod script;
mod server;
mod shapes;
mod symbols;
mod tokens;
mod transport;

pub use server::{End, serve};
