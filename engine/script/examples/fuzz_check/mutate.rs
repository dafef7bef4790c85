//! Packaged scripts with a few changes: of bytes, of tokens, of balanced pieces, of whole files.

use std::ops::Range;

use piton_core::ports::ProgramFile;

use crate::chance::Chance;

/// Texts that go where a token was.
const ODD: [&str; 40] = [
    "()",
    "[]",
    "#{}",
    "||",
    "|x|",
    "|| {",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "#{",
    "\"",
    "`",
    "${",
    "`${`${1}`}`",
    "?.",
    "?[0]",
    "??",
    "..=",
    "..",
    "this",
    "throw",
    "return",
    "break",
    "continue",
    "fn",
    "private",
    "import",
    "export",
    "global",
    "params",
    "aws(\"admin\")",
    "9223372036854775807",
    "-9223372036854775808",
    "1e999",
    "'x'",
    "\u{1f600}",
    "/*",
];

/// The programs that ship, with what their texts are made of.
pub(crate) struct Corpus {
    programs: Vec<Vec<ProgramFile>>,
    tokens: Vec<String>,
    pieces: Vec<String>,
}

impl Corpus {
    pub(crate) fn new(programs: Vec<Vec<ProgramFile>>) -> Self {
        let mut tokens = Vec::new();
        let mut pieces = Vec::new();
        for file in programs.iter().flatten().filter(|file| is_script(file)) {
            tokens.extend(split(&file.text).into_iter().map(|range| file.text[range].to_owned()));
            pieces
                .extend(balanced(&file.text).into_iter().map(|range| file.text[range].to_owned()));
        }
        pieces.retain(|piece| piece.len() < 2_000);
        Self { programs, tokens, pieces }
    }

    /// A program with one of its scripts changed.
    pub(crate) fn changed(
        &self,
        chance: &mut Chance,
        change: fn(&Self, &mut Chance, &mut String),
    ) -> Vec<ProgramFile> {
        let mut files = chance.of(&self.programs).clone();
        let scripts: Vec<usize> =
            (0..files.len()).filter(|index| is_script(&files[*index])).collect();
        let file = &mut files[*chance.of(&scripts)];
        let changes = [1, 1, 1, 2, 4][chance.below(5)];
        for _ in 0..changes {
            change(self, chance, &mut file.text);
        }
        files
    }

    /// A program whose files are mixed up: left out, doubled, swapped, imported by each other.
    pub(crate) fn rearranged(&self, chance: &mut Chance) -> Vec<ProgramFile> {
        let mut files = chance.of(&self.programs).clone();
        for _ in 0..=chance.below(3) {
            let (one, other) = (chance.below(files.len()), chance.below(files.len()));
            match chance.below(5) {
                0 if files.len() > 1 => drop(files.remove(one)),
                1 => files[one].path = files[other].path.clone(),
                2 => files[one].text = files[other].text.clone(),
                3 => {
                    let import = format!("import \"{}\" as m{one};\n", files[other].path);
                    files[one].text.insert_str(0, &import);
                }
                _ => files[one].text.clear(),
            }
        }
        files
    }
}

fn is_script(file: &ProgramFile) -> bool {
    file.path.ends_with(".rhai") || file.path.starts_with("std/")
}

/// One change of characters.
pub(crate) fn bytes(_: &Corpus, chance: &mut Chance, text: &mut String) {
    let mut bytes = std::mem::take(text).into_bytes();
    let at = chance.below(bytes.len());
    let length = 1 + chance.below(40);
    let end = (at + length).min(bytes.len());
    match chance.below(6) {
        0 if !bytes.is_empty() => bytes[at] = chance.below(256) as u8,
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, *chance.of(b"\"`'{}[]()#$|.,;:?!\\\0\n\xff")),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = chance.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        4 if chance.once_in(6) => bytes.truncate(at),
        _ => {
            let other = chance.below(bytes.len());
            if !bytes.is_empty() {
                bytes.swap(at, other);
            }
        }
    }
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// One change of a token.
pub(crate) fn tokens(corpus: &Corpus, chance: &mut Chance, text: &mut String) {
    let all = split(text);
    if all.is_empty() {
        return;
    }
    let (one, other) = (chance.of(&all).clone(), chance.of(&all).clone());
    match chance.below(12) {
        0 => text.replace_range(one, ""),
        1 => text.replace_range(one, &format!(" {} ", chance.of(&corpus.tokens))),
        2 => text.replace_range(one, &format!(" {} ", chance.of(&ODD))),
        3 => text.insert_str(one.end, &format!(" {} ", chance.of(&ODD))),
        4 => {
            let copy = text[other].to_owned();
            text.replace_range(one, &copy);
        }
        5 => {
            let copy = format!(" {}", &text[one.clone()]);
            text.insert_str(one.end, &copy);
        }
        _ => {
            // One of its kind: that parses most of the time.
            let kind = kind(&text[one.clone()]);
            let others = (0..40).map(|_| chance.of(&corpus.tokens));
            if let Some(other) = others.into_iter().find(|other| self::kind(other) == kind) {
                text.replace_range(one, other);
            }
        }
    }
}

/// Words, numbers and texts are told apart, and each sign is its own kind.
fn kind(token: &str) -> char {
    match token.chars().next() {
        Some(first) if first.is_ascii_digit() => '0',
        Some(first) if first.is_alphabetic() || first == '_' => 'a',
        Some(first) => first,
        None => ' ',
    }
}

/// One change of a balanced piece.
pub(crate) fn trees(corpus: &Corpus, chance: &mut Chance, text: &mut String) {
    let all = balanced(text);
    if all.is_empty() {
        return;
    }
    let (one, other) = (chance.of(&all).clone(), chance.of(&all).clone());
    let piece = text[one.clone()].to_owned();
    let with = match chance.below(9) {
        0 => text[other].to_owned(),
        1 => chance.of(&corpus.pieces).clone(),
        2 => piece[..1].to_owned() + &piece[piece.len() - 1..],
        3 => format!("({piece})"),
        4 => format!("[{piece}, {piece}]"),
        5 => format!("#{{ a: {piece}, \"b\": || {piece} }}"),
        6 => format!("(if {piece} == () {{ {piece} }} else {{ () }})"),
        7 => format!("{piece}.map(|x| {piece})"),
        _ => format!("{piece}[0].a.b.c()"),
    };
    if with.len() < 100_000 {
        text.replace_range(one, &with);
    }
}

/// Words, texts and signs.
fn split(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            '/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' => rest[1..].find(['"', '\n']).map_or(rest.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            '#' if rest.starts_with("#{") => 2,
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            found.push(at..at + length);
        }
        at += length;
    }
    found
}

/// Pieces between brackets that belong together, brackets included.
fn balanced(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in split(text) {
        match &text[token.clone()] {
            "(" | "[" | "{" | "#{" => open.push(token.start),
            ")" | "]" | "}" => {
                if let Some(start) = open.pop() {
                    found.push(start..token.end);
                }
            }
            _ => {}
        }
    }
    found
}
