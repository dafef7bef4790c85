//! Messages on a byte stream: a header with the length, then JSON.
//!
//! `lsp-server` brings the form of messages. Its own reader ends at the first text that is no message;
//! here such a text is answered, and the next one is read.

use std::io::{self, BufRead, Read as _, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

/// Longer messages are passed over: no document is that large, and memory is everybody's.
const LONGEST: u64 = 64 << 20;
/// Longer header lines are none.
const LONGEST_HEADER: u64 = 8 << 10;

/// What was read.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// A text that is no message, with the answer to it.
    Refused(Value),
}

/// Reads the next message; nothing at the end of the stream.
pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Option<Received>> {
    let Some(length) = content_length(input)? else { return Ok(None) };
    let Some(length) = length else {
        return Ok(Some(refused(ErrorCode::ParseError, "the header has no Content-Length", None)));
    };
    if length > LONGEST {
        io::copy(&mut input.take(length), &mut io::sink())?;
        let message = format!("the message has {length} bytes, the limit is {LONGEST}");
        return Ok(Some(refused(ErrorCode::InvalidRequest, &message, None)));
    }
    let mut content = Vec::new();
    input.take(length).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|read| read < length) {
        return Ok(None);
    }
    let value: Value = match serde_json::from_slice(&content) {
        Ok(value) => value,
        Err(error) => {
            return Ok(Some(refused(ErrorCode::ParseError, &error.to_string(), None)));
        }
    };
    let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    Ok(Some(match message(value) {
        Some(message) => Received::Message(message),
        None => refused(ErrorCode::InvalidRequest, "this is no message", id.as_ref()),
    }))
}

/// The message that a value is. Which of the three it must be is told by its members: the form alone
/// would take a list for an answer.
fn message(value: Value) -> Option<Message> {
    let members = value.as_object()?;
    let (has_id, has_method) = (members.contains_key("id"), members.contains_key("method"));
    match (has_id, has_method) {
        (true, true) => serde_json::from_value(value).map(Message::Request).ok(),
        (false, true) => serde_json::from_value(value).map(Message::Notification).ok(),
        (true, false) => serde_json::from_value(value).map(Message::Response).ok(),
        (false, false) => None,
    }
}

/// Reads a header. The outer nothing is the end of the stream, the inner one a header without a
/// usable length.
fn content_length(input: &mut impl BufRead) -> io::Result<Option<Option<u64>>> {
    let mut length = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.take(LONGEST_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            return Ok(Some(length));
        }
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

fn refused(code: ErrorCode, message: &str, id: Option<&Value>) -> Received {
    Received::Refused(json!({
        "jsonrpc": "2.0",
        "id": id,
        // The codes are those of the protocol.
        "error": { "code": code as i32, "message": message },
    }))
}

/// Writes an answer that is no [`Message`], since it answers none.
pub(crate) fn write_value(output: &mut impl Write, value: &Value) -> io::Result<()> {
    let text = value.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{Received, read};

    fn all(text: &str) -> Vec<String> {
        let mut input = Cursor::new(text.as_bytes().to_vec());
        let mut found = Vec::new();
        while let Some(received) = read(&mut input).expect("memory can be read") {
            found.push(match received {
                Received::Message(lsp_server::Message::Notification(it)) => it.method,
                Received::Message(other) => format!("{other:?}"),
                Received::Refused(answer) => answer["error"]["code"].to_string(),
            });
        }
        found
    }

    fn framed(content: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{content}", content.len())
    }

    #[test]
    fn what_is_no_message_is_answered_and_the_next_one_read() {
        let good = framed("{\"jsonrpc\":\"2.0\",\"method\":\"good\"}");
        for (bad, code) in [
            (framed("{"), "-32700"),
            (framed("\u{0}"), "-32700"),
            (framed("[]"), "-32600"),
            (framed("[1, 2]"), "-32600"),
            (framed("{\"id\":1,\"method\":[]}"), "-32600"),
            (framed("{\"id\":[1],\"method\":3}"), "-32600"),
            ("Content-Length: many\r\n\r\n".to_owned(), "-32700"),
            ("X: 1\r\n\r\n".to_owned(), "-32700"),
        ] {
            assert_eq!(all(&format!("{bad}{good}")), [code, "good"], "{bad}");
        }
    }

    #[test]
    fn a_stream_may_end_anywhere() {
        let good = framed("{\"jsonrpc\":\"2.0\",\"method\":\"good\"}");
        for end in 0..good.len() {
            assert!(all(&good[..end]).is_empty(), "{end}");
        }
    }

    #[test]
    fn a_message_beyond_the_limit_is_passed_over() {
        let claim = "Content-Length: 99999999999999\r\n\r\nshort";
        assert_eq!(all(claim), ["-32600"]);
    }
}
