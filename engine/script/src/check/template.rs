//! Templates: variables that a template reads and its values do not have. Only what is certain is
//! said: a template that defines names of its own, or includes others, is left alone.

use piton_core::diagnostic::{Code, Diagnostic, Place};

use super::infer::Inference;
use super::ty::Ty;

/// Words that are no variables.
const WORDS: [&str; 22] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "range",
    "dict",
    "debug",
    "namespace",
    "self",
    "super",
    "defined",
    "recursive",
];
/// Tags after which names may come from elsewhere.
const DEFINING: [&str; 8] =
    ["set", "macro", "import", "from", "include", "extends", "with", "call"];

impl Inference<'_> {
    pub(super) fn template(&mut self, path: &Ty, values: &Ty) {
        let (Some(path), Ty::Map(record)) = (path.literal_text(), values) else { return };
        if record.rest.is_some() {
            return;
        }
        let Some(text) = self.tree.compiled.file(path) else { return };
        let Some(names) = variables(text) else { return };
        for (name, place) in names {
            if !record.members.contains_key(name) {
                let message = format!("the template reads `{name}`, which its values do not have");
                let known: Vec<&str> = record.members.keys().map(String::as_str).collect();
                let diagnostic = Diagnostic::warning(Code::Template, message)
                    .hint(format!("they have {}", known.join(", ")))
                    .at(Some(Place { file: path.to_owned(), ..place }));
                self.report_placed(diagnostic);
            }
        }
    }
}

/// The variables that a template reads, with their places; nothing when it defines any.
fn variables(text: &str) -> Option<Vec<(&str, Place)>> {
    let mut found = Vec::new();
    let mut own: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find(['{']).map(|offset| at + offset) {
        let (end, is_tag) = match text.get(open..open + 2) {
            Some("{{") => ("}}", false),
            Some("{%") => ("%}", true),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let close = open + 2 + text[open + 2..].find(end)?;
        let inner = &text[open + 2..close];
        let mut words = names(inner);
        if is_tag {
            let tag = words.first().map_or("", |(word, _)| *word);
            if DEFINING.contains(&tag) {
                return None;
            }
            words.drain(..words.len().min(1));
            if tag == "for" {
                let until = words.iter().position(|(word, _)| *word == "in").unwrap_or(0);
                own.extend(words.drain(..until).map(|(word, _)| word));
            }
            if tag.starts_with("end") || tag == "raw" {
                words.clear();
            }
        }
        for (word, offset) in words {
            if !WORDS.contains(&word) && !own.contains(&word) {
                found.push((word, place(text, open + 2 + offset, word)));
            }
        }
        at = close + 2;
    }
    Some(found)
}

/// The words of an expression that are variables: no members, filters, texts, tests or arguments.
fn names(inner: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let bytes = inner.as_bytes();
    let mut at = 0;
    let mut before = b' ';
    let mut last_word = "";
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' || byte == b'\'' {
            at += 1 + inner[at + 1..].find(byte as char).map_or(bytes.len(), |end| end + 1);
            before = byte;
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let length = inner[at..]
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                .count();
            let word = &inner[at..at + length];
            let after = inner[at + length..].trim_start();
            let is_argument = after.starts_with('=') && !after.starts_with("==");
            let is_call = after.starts_with('(');
            if !matches!(before, b'.' | b'|') && last_word != "is" && !is_argument && !is_call {
                found.push((word, at));
            }
            (before, last_word) = (b'a', word);
            at += length;
        } else {
            if !byte.is_ascii_whitespace() {
                (before, last_word) = (byte, "");
            }
            at += 1;
        }
    }
    found
}

fn place(text: &str, at: usize, word: &str) -> Place {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = text[start..at].chars().count() + 1;
    Place {
        file: String::new(),
        line: before.matches('\n').count() + 1,
        column,
        end_column: column + word.chars().count(),
        source_line: text[start..].lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::variables;

    #[test]
    fn variables_are_told_from_all_else() {
        let text = "{{ title }}{% for row in rows %}{{ row.name|upper }}{{ loop.index }}{% endfor %}\n\
                    {% if total is defined and n > 1 %}{{ \"x y\" ~ who.name }}{% endif %}";
        let names: Vec<&str> =
            variables(text).into_iter().flatten().map(|(name, _)| name).collect();
        assert_eq!(names, ["title", "rows", "total", "n", "who"]);
        assert!(variables("{% set a = 1 %}{{ a }}").is_none());
    }
}
