//! The text of one script file, and the places in it.
//!
//! Rhai gives positions without a length; the token that starts there is found here.

use piton_core::diagnostic::Place;
use rhai::Position;

/// Longer lines are in no snippet: nobody would find the place in them, and each of many problems
/// would carry all of the line.
const LONGEST_SHOWN: usize = 2_000;

/// One script file with an index of its lines.
#[derive(Debug)]
pub(crate) struct Source {
    path: String,
    text: String,
    /// Byte at which each line starts.
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { path: path.into(), text, lines }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A line from 1, without its end.
    fn line(&self, number: usize) -> Option<&str> {
        let start = *self.lines.get(number.checked_sub(1)?)?;
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        Some(self.text[start..end].trim_end_matches(['\n', '\r']))
    }

    /// The place of the token at a position. A position on the dot of `account.service` means the
    /// name after it.
    pub(crate) fn place(&self, position: Position) -> Option<Place> {
        let number = position.line()?;
        let line = self.line(number)?;
        let mut column = position.position().unwrap_or(1);
        let mut rest = skip(line, column - 1);
        let after_dot = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.'));
        if let Some(name) = after_dot.filter(|name| name.starts_with(is_word)) {
            column += rest.chars().count() - name.chars().count();
            rest = name;
        }
        Some(Place {
            file: self.path.clone(),
            line: number,
            column,
            end_column: column + token_length(rest),
            source_line: if line.len() > LONGEST_SHOWN { String::new() } else { line.to_owned() },
        })
    }

    /// Whether a name stands at a position.
    pub(crate) fn has_name_at(&self, position: Position, name: &str) -> bool {
        let (Some(number), Some(column)) = (position.line(), position.position()) else {
            return false;
        };
        let rest = self.line(number).map_or("", |line| skip(line, column.saturating_sub(1)));
        let rest = rest.trim_start_matches(['?', '.']);
        rest.strip_prefix(name).is_some_and(|after| !after.starts_with(is_word))
    }
}

fn skip(line: &str, characters: usize) -> &str {
    match line.char_indices().nth(characters) {
        Some((at, _)) => &line[at..],
        None => "",
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Length of the token that a text starts with, in characters; at least 1.
fn token_length(text: &str) -> usize {
    let mut characters = text.chars();
    match characters.next() {
        Some(quote @ ('"' | '`' | '\'')) => {
            let mut escaped = false;
            let inside = characters.take_while(|&character| {
                let ends = character == quote && !escaped;
                escaped = character == '\\' && !escaped;
                !ends
            });
            (inside.count() + 2).min(text.chars().count())
        }
        Some(first) if is_word(first) => text.chars().take_while(|&next| is_word(next)).count(),
        Some('#') if text.starts_with("#{") => 2,
        None | Some(_) => 1,
    }
}
