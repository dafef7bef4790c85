//! The words and signs of a script, by byte range. A text that does not parse has them too: brackets
//! may be open, strings may not end. It knows nothing of what they mean.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a word of the language.
    Name,
    Number,
    /// A text in quotes, or a piece of one in backticks between its `${}`.
    Text {
        /// Its closing quote is there.
        closed: bool,
    },
    /// A comment; `///` and `//!` are documentation.
    Comment,
    /// `(`, `[`, `{`, `#{`, `${`.
    Open,
    /// `)`, `]`, `}`.
    Close,
    /// Any other sign.
    Sign,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// Signs of several characters that matter here; all others are taken one by one.
const LONG_SIGNS: [&str; 7] = ["::", "?.", "==", "!=", "||", "&&", "=>"];

/// The tokens of a text, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), open: Vec::new() };
    while lexer.at < text.len() {
        lexer.next();
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    /// Open braces; true for a `${` inside a text in backticks, which goes on after its end.
    open: Vec<bool>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.tokens.push(Token { kind, range: self.at..end });
        self.at = end;
    }

    fn next(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        let run = |is_part: fn(char) -> bool| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if first.is_whitespace() {
            self.at += run(char::is_whitespace);
        } else if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            self.push(Kind::Comment, length);
        } else if rest.starts_with("/*") {
            let length = block_comment(rest);
            self.push(Kind::Comment, length);
        } else if first.is_alphabetic() || first == '_' {
            let length = run(|c| c.is_alphanumeric() || c == '_');
            self.push(Kind::Name, length);
        } else if first.is_ascii_digit() {
            let length = run(|c| c.is_alphanumeric() || c == '_');
            self.push(Kind::Number, length);
        } else {
            self.sign(first);
        }
    }

    fn sign(&mut self, first: char) {
        let rest = self.rest();
        match first {
            '"' => {
                let (length, closed) = quoted(rest);
                self.push(Kind::Text { closed }, length);
            }
            '\'' => match character(rest) {
                Some(length) => self.push(Kind::Text { closed: true }, length),
                None => self.push(Kind::Sign, 1),
            },
            '`' => self.backticks(1),
            '#' if rest.starts_with("#{") => {
                self.open.push(false);
                self.push(Kind::Open, 2);
            }
            '{' => {
                self.open.push(false);
                self.push(Kind::Open, 1);
            }
            '(' | '[' => self.push(Kind::Open, 1),
            '}' => {
                self.push(Kind::Close, 1);
                if self.open.pop() == Some(true) {
                    self.backticks(0);
                }
            }
            ')' | ']' => self.push(Kind::Close, 1),
            other => {
                let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let length = long.map_or(other.len_utf8(), |sign| sign.len());
                self.push(Kind::Sign, length);
            }
        }
    }

    /// A piece of a text in backticks: to its end, or to the next `${`.
    fn backticks(&mut self, from: usize) {
        let bytes = self.rest().as_bytes();
        let mut end = from;
        while end < bytes.len() {
            match bytes[end] {
                b'`' => return self.push(Kind::Text { closed: true }, end + 1),
                b'$' if bytes.get(end + 1) == Some(&b'{') => {
                    self.push(Kind::Text { closed: true }, end);
                    self.open.push(true);
                    return self.push(Kind::Open, 2);
                }
                _ => end += 1,
            }
        }
        self.push(Kind::Text { closed: false }, end);
    }
}

/// Length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Length of a text in quotes and whether it ends. One that does not ends with its line, so that the
/// lines after it are read as they were.
fn quoted(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return (at + 1, true),
            b'\n' => return (at, false),
            // An escaped line end goes on.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (end, false)
}

/// Length of a character in single quotes.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.char_indices().skip(1);
    let (_, first) = inside.next()?;
    let end = match first {
        '\\' => text[2..].find('\'').filter(|length| *length <= 10)? + 2,
        _ => inside.next().filter(|(_, close)| *close == '\'')?.0,
    };
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| &text[token.range]).collect()
    }

    #[test]
    fn every_kind_is_told_apart() {
        let text = "let a=#{x:[1.5,\"q\\\"\"]};// c\na::b(`t${a.b}u`)/* /* */ */ '\\n'";
        let wanted = [
            "let",
            "a",
            "=",
            "#{",
            "x",
            ":",
            "[",
            "1",
            ".",
            "5",
            ",",
            "\"q\\\"\"",
            "]",
            "}",
            ";",
            "// c",
            "a",
            "::",
            "b",
            "(",
            "`t",
            "${",
            "a",
            ".",
            "b",
            "}",
            "u`",
            ")",
            "/* /* */ */",
            "'\\n'",
        ];
        assert_eq!(words(text), wanted);
    }

    #[test]
    fn what_is_not_closed_ends_somewhere() {
        assert_eq!(words("f(\"ab\nlet b"), ["f", "(", "\"ab", "let", "b"]);
        assert_eq!(words("`ab\n${c"), ["`ab\n", "${", "c"]);
        assert_eq!(tokens("\"\\").len(), 1);
        assert_eq!(tokens("\"\\\u{fc}").len(), 1);
        assert_eq!(words("/* a"), ["/* a"]);
        assert_eq!(words("} ) ' \u{1f600}"), ["}", ")", "'", "\u{1f600}"]);
        assert!(tokens("`").iter().all(|token| token.kind == Kind::Text { closed: false }));
    }
}
