//! Percent-encoding, as AWS's signatures expect it.

use std::fmt::Write as _;

/// A text with everything but unreserved characters encoded.
pub(super) fn encoded(text: &str) -> String {
    encoded_but(text, "")
}

/// A text for several segments of a path: slashes stay.
pub(super) fn encoded_path(text: &str) -> String {
    encoded_but(text, "/")
}

fn encoded_but(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric()
            || "-._~".contains(character)
            || kept.contains(character)
        {
            out.push(character);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
