//! `piton lsp`: the checker and explanations for editors. The protocol is `piton-lsp`'s.

use std::io;

use clap::Args;
use piton_lsp::End;

use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Ends with this when it is told to exit before it was asked to shut down, as the protocol has it.
const ABRUPT: u8 = 1;

/// Serve an editor: diagnostics, completion and explanations while a runbook is written
///
/// It speaks the Language Server Protocol on stdin and stdout and is started by the editor;
/// docs/guide/editors.md says how. It reads files, writes none, and needs no network. It ends with 0
/// when the editor ends the conversation or closes stdin, and with 1 when it is told to exit without
/// having been asked to shut down.
#[derive(Args)]
pub(crate) struct LspArgs {
    /// What editors' clients add; stdin and stdout are used in any case
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Runs the command.
pub(crate) fn run(_: &Context, args: &LspArgs) -> Outcome {
    let LspArgs { stdio: _ } = args;
    // Not `StdinLock`: it is read on a thread of its own.
    match piton_lsp::serve(io::stdin(), io::stdout().lock()) {
        Ok(End::Orderly) => Ok(exit::DONE),
        Ok(End::Abrupt) => Ok(ABRUPT),
        // Nobody listens any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit::DONE),
        Err(error) => Err(Failure::storage(format!("the editor cannot be answered: {error}"))),
    }
}
