//! Piton: journal.
