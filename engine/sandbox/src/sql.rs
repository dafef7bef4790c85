//! The warehouse: nothing yet.
