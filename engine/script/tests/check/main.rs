//! What the checker finds, where, and what it leaves alone.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bad_input;
mod mutations;
mod originals;
mod rules;

use piton_core::diagnostic::Diagnostic;

/// One line for each problem.
fn lines(problems: &[Diagnostic]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            let place = problem.place.as_ref().map_or_else(String::new, |place| {
                format!("{}:{}:{}", place.file, place.line, place.column)
            });
            format!("{} {:?} {place} {}", problem.code, problem.severity, problem.message)
        })
        .collect()
}
