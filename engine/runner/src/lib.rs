//! Piton: runner.
