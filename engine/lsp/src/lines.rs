//! Positions in a text: bytes here, lines and UTF-16 units in the protocol, lines and characters in
//! diagnostics.

use std::ops::Range;

use lsp_types::Position;

/// A text with an index of its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    text: String,
    /// Byte at which each line starts.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of a line from 0, without its end.
    fn line(&self, number: usize) -> Range<usize> {
        let Some(&start) = self.starts.get(number) else {
            return self.text.len()..self.text.len();
        };
        let end = self.starts.get(number + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    /// The byte at a position. A position past the end of its line is the end of the line, as the
    /// protocol has it; one inside a character is the character's beginning.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let line = self.line(usize::try_from(position.line).unwrap_or(usize::MAX));
        let wanted = usize::try_from(position.character).unwrap_or(usize::MAX);
        let mut units = 0;
        for (at, character) in self.text[line.clone()].char_indices() {
            units += character.len_utf16();
            if units > wanted {
                return line.start + at;
            }
        }
        line.end
    }

    /// The position of a byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let number = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = &self.text[self.starts[number]..offset];
        Position::new(count(number), count(before.chars().map(char::len_utf16).sum()))
    }

    pub(crate) fn range(&self, bytes: Range<usize>) -> lsp_types::Range {
        lsp_types::Range::new(self.position(bytes.start), self.position(bytes.end))
    }

    /// Line and column of a byte as diagnostics count them: from 1, in characters.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let number = self.starts.partition_point(|start| *start <= offset) - 1;
        (number + 1, self.text[self.starts[number]..offset].chars().count() + 1)
    }

    /// Puts a text in the place of a range.
    pub(crate) fn replace(&mut self, range: lsp_types::Range, with: &str) {
        let start = self.offset(range.start);
        let end = self.offset(range.end).max(start);
        let mut text = std::mem::take(&mut self.text);
        text.replace_range(start..end, with);
        *self = Self::new(text);
    }
}

/// UTF-16 units of the first characters of a line.
pub(crate) fn units(line: &str, characters: usize) -> u32 {
    count(line.chars().take(characters).map(char::len_utf16).sum())
}

/// A count as the protocol has it.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use lsp_types::{Position, Range};

    use super::{Lines, units};

    #[test]
    fn columns_are_utf_16_units() {
        let lines = Lines::new("a\r\n\u{1f600}\u{fc}b\n".to_owned());
        for (position, offset) in [
            (Position::new(0, 0), 0),
            (Position::new(0, 9), 1),
            (Position::new(1, 0), 3),
            (Position::new(1, 1), 3),
            (Position::new(1, 2), 7),
            (Position::new(1, 3), 9),
            (Position::new(1, 4), 10),
            (Position::new(2, 0), 11),
            (Position::new(7, 7), 11),
        ] {
            assert_eq!(lines.offset(position), offset, "{position:?}");
        }
        assert_eq!(lines.position(9), Position::new(1, 3));
        assert_eq!(lines.place(9), (2, 3));
        assert_eq!(units("\u{1f600}\u{fc}b", 2), 3);
    }

    #[test]
    fn an_edit_replaces_its_range() {
        let mut lines = Lines::new("one\ntwo\nthree".to_owned());
        lines.replace(Range::new(Position::new(0, 3), Position::new(1, 1)), "-");
        assert_eq!(lines.text(), "one-wo\nthree");
        // An end before its beginning changes nothing but the place.
        lines.replace(Range::new(Position::new(1, 2), Position::new(0, 0)), "!");
        assert_eq!(lines.text(), "one-wo\nth!ree");
    }
}
