//! A script as its tokens tell it: functions with their documentation, imports, steps, brackets. It
//! works on a text that does not parse.

use std::ops::Range;

use crate::tokens::{Kind, Token, tokens};

/// A text with its tokens.
pub(crate) struct Script<'a> {
    pub(crate) text: &'a str,
    /// Tokens without comments.
    pub(crate) tokens: Vec<Token>,
    comments: Vec<Token>,
}

/// A function that a script defines.
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// `ensure_domain(account, options)`.
    pub(crate) signature: String,
    /// What its `///` lines say, in Markdown.
    pub(crate) doc: String,
    /// Bytes of its name.
    pub(crate) at: Range<usize>,
    /// Bytes of all of it.
    pub(crate) range: Range<usize>,
    pub(crate) is_private: bool,
}

/// An `import "path" as name`.
pub(crate) struct Import<'a> {
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
    /// Bytes of the name.
    pub(crate) at: Range<usize>,
}

/// A `step("name", ...)`.
pub(crate) struct Step<'a> {
    pub(crate) name: &'a str,
    /// Bytes of the name.
    pub(crate) at: Range<usize>,
    /// Bytes of the call.
    pub(crate) range: Range<usize>,
}

impl<'a> Script<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let (comments, tokens) =
            tokens(text).into_iter().partition(|token| token.kind == Kind::Comment);
        Self { text, tokens, comments }
    }

    /// The text of a token; empty past the ends.
    pub(crate) fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| &self.text[token.range.clone()])
    }

    /// The text of a token before another; empty where there is none.
    pub(crate) fn word_before(&self, index: usize, back: usize) -> &'a str {
        index.checked_sub(back).map_or("", |index| self.word(index))
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    pub(crate) fn is_name(&self, index: usize) -> bool {
        self.kind(index) == Some(Kind::Name)
    }

    /// What a text in quotes says, as it is written.
    pub(crate) fn quoted(&self, index: usize) -> Option<&'a str> {
        let Some(Kind::Text { closed }) = self.kind(index) else { return None };
        let text = self.word(index).get(1..)?;
        Some(if closed { text.get(..text.len().checked_sub(1)?)? } else { text })
    }

    /// Whether a byte is inside a comment.
    pub(crate) fn is_comment(&self, at: usize) -> bool {
        let last = self.comments.iter().rev().find(|comment| comment.range.start < at);
        last.is_some_and(|comment| {
            let is_line = self.text[comment.range.clone()].starts_with("//");
            at < comment.range.end || (is_line && at == comment.range.end)
        })
    }

    /// The bracket that closes the one at `open`, or the last token when none does.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for index in open..self.tokens.len() {
            match self.tokens[index].kind {
                Kind::Open => depth += 1,
                Kind::Close => {
                    depth -= 1;
                    if depth == 0 {
                        return index;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// The bracket that the one at `close` closes.
    pub(crate) fn opening(&self, close: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for index in (0..=close).rev() {
            match self.tokens[index].kind {
                Kind::Close => depth += 1,
                Kind::Open => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether the script declares a runbook.
    pub(crate) fn declaration(&self) -> Option<Range<usize>> {
        let at = (0..self.tokens.len()).find(|index| {
            self.word(*index) == "runbook"
                && self.word(index + 1) == "("
                && !matches!(self.word_before(*index, 1), "." | "::" | "fn")
        })?;
        let end = self.closing(at + 1);
        Some(self.tokens[at].range.start..self.tokens[end].range.end)
    }

    /// The functions that the script defines, in order.
    pub(crate) fn functions(&self) -> Vec<Function<'a>> {
        let starts = (0..self.tokens.len()).filter(|index| {
            self.word(*index) == "fn" && self.is_name(index + 1) && self.word(index + 2) == "("
        });
        starts.map(|at| self.function(at)).collect()
    }

    fn function(&self, at: usize) -> Function<'a> {
        let is_private = self.word_before(at, 1) == "private";
        let first = if is_private { at - 1 } else { at };
        let close = self.closing(at + 2);
        let body = close + 1;
        let last = if self.word(body) == "{" { self.closing(body) } else { close };
        let start = self.tokens[first].range.start;
        let head = &self.text[self.tokens[at + 1].range.start..self.tokens[close].range.end];
        Function {
            name: self.word(at + 1),
            signature: head.split_whitespace().collect::<Vec<_>>().join(" "),
            doc: self.doc_before(start),
            at: self.tokens[at + 1].range.clone(),
            range: start..self.tokens[last].range.end,
            is_private,
        }
    }

    /// The `///` lines that end just before a byte.
    fn doc_before(&self, start: usize) -> String {
        let mut lines = Vec::new();
        let mut below = start;
        for comment in self.comments.iter().rev().skip_while(|comment| comment.range.end > start) {
            let between = &self.text[comment.range.end..below];
            let line = self.text[comment.range.clone()].strip_prefix("///");
            let Some(line) = line.filter(|_| between.trim().is_empty()) else { break };
            lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
            below = comment.range.start;
        }
        lines.reverse();
        lines.join("\n")
    }

    /// What the `//!` lines at the beginning say.
    pub(crate) fn header(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//!"));
        let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n")
    }

    /// What the script imports, in order.
    pub(crate) fn imports(&self) -> Vec<Import<'a>> {
        let found = (0..self.tokens.len()).filter_map(|index| {
            let is_import = self.word(index) == "import"
                && self.word(index + 2) == "as"
                && self.is_name(index + 3);
            let path = self.quoted(index + 1).filter(|_| is_import)?;
            let at = self.tokens[index + 3].range.clone();
            Some(Import { path, name: self.word(index + 3), at })
        });
        found.collect()
    }

    /// The path of the import that has a name.
    pub(crate) fn import_named(&self, name: &str) -> Option<&'a str> {
        self.imports().into_iter().find(|import| import.name == name).map(|import| import.path)
    }

    /// The steps that the script writes out, in order.
    pub(crate) fn steps(&self) -> Vec<Step<'a>> {
        let found = (0..self.tokens.len()).filter_map(|index| {
            let is_step = self.word(index) == "step"
                && self.word(index + 1) == "("
                && !matches!(self.word_before(index, 1), "." | "?." | "::" | "fn");
            let name = self.quoted(index + 2).filter(|_| is_step)?;
            let end = self.tokens[self.closing(index + 1)].range.end;
            let at = self.tokens[index + 2].range.clone();
            Some(Step { name, at, range: self.tokens[index].range.start..end })
        });
        found.collect()
    }

    /// The variables that are defined before a token, the nearest first: name and the index of the
    /// token after it.
    pub(crate) fn variables_before(&self, index: usize) -> Vec<(&'a str, usize)> {
        let mut found = Vec::new();
        for at in (1..index.min(self.tokens.len())).rev() {
            let is_definition = matches!(self.word(at - 1), "let" | "const" | "for");
            if is_definition && self.is_name(at) {
                found.push((self.word(at), at + 1));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    const TEXT: &str = "//! A module\n//! of mine.\nimport \"std/text\" as text;\n\n/// Greets.\n///\n/// Twice.\nfn greet(who,\n   how) { step(\"a\", || { step(\"b\", || 1) }) }\n// no doc\nprivate fn broken(x";

    #[test]
    fn functions_imports_and_steps_are_found_in_a_broken_text() {
        let script = Script::new(TEXT);
        assert_eq!(script.header(), "A module\nof mine.");
        assert_eq!(script.import_named("text"), Some("std/text"));
        let functions = script.functions();
        assert_eq!(functions.len(), 2);
        assert_eq!(functions[0].signature, "greet(who, how)");
        assert_eq!(functions[0].doc, "Greets.\n\nTwice.");
        assert!(TEXT[functions[0].range.clone()].ends_with("}) }"));
        assert_eq!((functions[1].name, functions[1].is_private), ("broken", true));
        assert_eq!(functions[1].doc, "");
        let steps: Vec<&str> = script.steps().iter().map(|step| step.name).collect();
        assert_eq!(steps, ["a", "b"]);
    }

    #[test]
    fn comments_are_known() {
        let script = Script::new("a // b\nc /* d */ e");
        for (at, inside) in [(1, false), (3, true), (6, true), (7, false), (11, true), (16, false)]
        {
            assert_eq!(script.is_comment(at), inside, "{at}");
        }
    }

    #[test]
    fn brackets_without_a_partner_do_no_harm() {
        let script = Script::new(")]} runbook(#{ title: \"x\"");
        assert!(script.declaration().is_some());
        assert_eq!(script.opening(0), None);
        assert_eq!(Script::new("").closing(0), 0);
    }
}
