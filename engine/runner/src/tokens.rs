//! Idempotency tokens: the same for the same attempt of the same entry, whoever sends it.

use piton_core::canonical::Digest;
use piton_core::key::Key;
use piton_core::ports::RunId;

/// The token of an attempt, in the form of a UUID: every AWS service takes that form.
pub(crate) fn token(run: &RunId, key: &Key, attempt: u32) -> String {
    let digest = Digest::of_parts([
        b"token".as_slice(),
        run.0.as_bytes(),
        key.as_str().as_bytes(),
        &attempt.to_be_bytes(),
    ]);
    uuid(digest.bytes())
}

/// The first 16 bytes as the text of a version 8 UUID, the version for one's own scheme.
pub(crate) fn uuid(bytes: &[u8; 32]) -> String {
    let mut id = [0_u8; 16];
    id.copy_from_slice(&bytes[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
