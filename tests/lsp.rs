//! `piton lsp` as an editor sees it: the real binary, real messages over stdio, no waiting but for
//! messages.

mod client;
mod completion;
mod conversation;
mod diagnostics;
mod hover;
