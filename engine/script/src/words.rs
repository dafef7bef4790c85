//! What the language has beside AWS, for tools that complete and explain: the prelude's functions and
//! their options.

use crate::{check, declaration, prelude};

/// An option of a prelude function, `every` of `wait_until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionOption {
    /// The name.
    pub name: &'static str,
    /// It must be given.
    pub required: bool,
    /// The texts that it takes, when there are only some.
    pub choices: &'static [&'static str],
}

/// The prelude's functions with how they are called, in order.
pub fn prelude() -> &'static [(&'static str, &'static str)] {
    prelude::USAGE
}

/// The options that a prelude function takes in a map, or the map in one of them: `nested` is the way
/// there, such as `["target"]` for `query`. Nothing when it takes none.
pub fn options(function: &str, nested: &[&str]) -> Vec<FunctionOption> {
    match function {
        "runbook" => declaration::members(nested),
        _ => check::options(function, nested),
    }
}
