//! The entrance.

/// Marks a request of the in-process connector.
#[derive(Debug, Clone, Copy)]
pub struct InProcess;

/// Marks a response that must not reach the caller.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLost;

/// The sandbox.
#[derive(Debug)]
pub struct Sandbox;

/// Errors.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The file.
    #[error("the world's file: {0}")]
    File(#[from] rusqlite::Error),
}
