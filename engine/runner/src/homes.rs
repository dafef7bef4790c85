//! What to do when a run goes on in another home, or a home may not be written, in words.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::JournalError;

/// The refusal of a journal that is about homes, with its ways on.
pub(crate) fn diagnostic(error: &JournalError) -> Diagnostic {
    let told = |code| Diagnostic::error(code, error.to_string());
    match error {
        JournalError::HandedOver { run, .. } => told(Code::HandedOver)
            .hint("go on where the capsule was taken over; here it can be shown, reported and verified")
            .hint(format!(
                "to write the capsule again: piton export {run} --hand-over -o FILE; to take it back \
                 when nobody took it over: piton import FILE --take-over"
            )),
        JournalError::ReadOnlyCopy(_) => told(Code::ReadOnlyCopy)
            .hint("go on with it in that home")
            .hint(
                "to go on with it here, have it handed over there: piton export RUN --hand-over -o \
                 FILE; then here: piton import FILE --take-over",
            ),
        JournalError::Copied { original, is_there: true, .. } => told(Code::CopiedHome)
            .hint(format!("{original} is still there: go on in it, with --home"))
            .hint(
                "to use this copy as a home of its own: piton doctor --adopt-home; runs that have not \
                 ended go on in the original alone",
            ),
        JournalError::Copied { .. } => told(Code::CopiedHome)
            .hint("when this is the one to go on with: piton doctor --adopt-home")
            .hint(
                "a backup does not know what was done after it; runs that also go on in another copy \
                 would do their calls twice",
            ),
        JournalError::NetworkHome { .. } => told(Code::NetworkHome)
            .hint("keep runs in a folder on a disk of this machine, with --home or PITON_HOME")
            .hint("a run goes to another machine with `piton export RUN --hand-over`")
            .hint("when only one machine ever uses it: --network-home"),
        _ => told(Code::NotAdmitted),
    }
}
