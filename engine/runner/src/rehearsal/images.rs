//! Bytes of databases that share what they have in common: a picture of every moment of a run would
//! not fit in memory otherwise.

use std::sync::Arc;

/// Bytes that are the same in neighbouring pictures are kept once, in pieces of this length.
const PIECE: usize = 4096;

/// The bytes of one database at one moment.
#[derive(Clone, Default)]
pub(super) struct Image(Vec<Arc<[u8]>>);

impl Image {
    /// The bytes, sharing with an earlier picture what did not change since.
    pub(super) fn after(earlier: &Self, bytes: &[u8]) -> Self {
        let pieces = bytes.chunks(PIECE).enumerate().map(|(index, piece)| {
            match earlier.0.get(index).filter(|before| before.as_ref() == piece) {
                Some(before) => Arc::clone(before),
                None => Arc::from(piece),
            }
        });
        Self(pieces.collect())
    }

    /// All of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.concat()
    }
}
