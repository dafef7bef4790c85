//! File addresses: the protocol's `file://` URIs, and paths.

use std::path::{Path, PathBuf};

/// The path of a `file://` URI; nothing for other schemes and hosts.
pub(crate) fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let rest = rest.split(['?', '#']).next()?;
    if !rest.starts_with('/') {
        return None;
    }
    let decoded = decoded(rest)?;
    // `/c:/runbooks`: a drive.
    let is_drive =
        matches!(decoded.as_bytes(), [b'/', drive, b':', ..] if drive.is_ascii_alphabetic());
    Some(PathBuf::from(if is_drive { &decoded[1..] } else { decoded.as_str() }))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(*high)? * 16 + digit(*low)?;
                bytes.push(u8::try_from(value).ok()?);
                rest = after;
            }
            (b'%', _) => return None,
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The `file://` URI of a path.
pub(crate) fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = "file://".to_owned();
    if !text.starts_with('/') {
        uri.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{path, uri};

    #[test]
    fn paths_come_back() {
        let odd = Path::new("/run books/\u{fc}%[1]/a.rhai");
        assert_eq!(uri(odd), "file:///run%20books/%C3%BC%25%5B1%5D/a.rhai");
        assert_eq!(path(&uri(odd)), Some(odd.to_path_buf()));
        assert_eq!(path("file:///c%3A/x.rhai"), Some(PathBuf::from("c:/x.rhai")));
        assert_eq!(path("file://localhost/x"), Some(PathBuf::from("/x")));
    }

    #[test]
    fn what_is_no_file_has_no_path() {
        for other in ["untitled:Untitled-1", "file://server/x", "file:///%zz", "file:///%f", ""] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
