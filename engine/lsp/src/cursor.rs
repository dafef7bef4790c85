//! Where in a script the cursor is: the word that it is in, the brackets around it, the call whose
//! input is being written.

use std::ops::Range;

use crate::script::Script;
use crate::tokens::Kind;

/// A place in a script.
pub(crate) struct Cursor<'s> {
    pub(crate) script: &'s Script<'s>,
    /// Bytes of the word around the place, or nothing at the place.
    pub(crate) word: Range<usize>,
    /// Index of the first token that is not before the word: the word itself, where there is one.
    pub(crate) index: usize,
    /// The text in quotes that the place is in, by index.
    pub(crate) quoted: Option<usize>,
    /// Brackets that are open at the place, the innermost last.
    frames: Vec<Frame>,
}

/// An open bracket.
struct Frame {
    open: usize,
    /// First token after the last comma in it.
    since: usize,
    commas: usize,
}

/// One step from the input of a call to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Member(String),
    Element,
}

/// The call that a place is in the arguments of.
#[derive(Debug)]
pub(crate) struct Enclosing {
    /// The function's or method's name, by index.
    pub(crate) callee: usize,
    /// Which argument, from 0.
    pub(crate) argument: usize,
    /// The way from that argument to what is written at the place.
    pub(crate) path: Vec<Step>,
    /// The name of a member is written at the place, in the map that begins at this token.
    pub(crate) key_in: Option<usize>,
}

impl<'s> Cursor<'s> {
    pub(crate) fn new(script: &'s Script<'s>, at: usize) -> Self {
        let tokens = &script.tokens;
        let mut index = tokens.partition_point(|token| token.range.end < at);
        let touching = index..tokens.partition_point(|token| token.range.start <= at);
        let mut word = at..at;
        let mut quoted = None;
        // Of two tokens that meet at the place, a name counts.
        if let Some(name) = touching.into_iter().find(|index| script.is_name(*index)) {
            index = name;
            word = tokens[name].range.clone();
        } else {
            let is_before = |index: usize| {
                tokens.get(index).is_some_and(|token| token.range.end <= at)
                    && !is_inside(script, index, at)
            };
            while is_before(index) {
                index += 1;
            }
            quoted = is_inside(script, index, at).then_some(index);
        }
        let frames = frames(script, index);
        Self { script, word, index, quoted, frames }
    }

    /// The text of a token before the word.
    pub(crate) fn before(&self, back: usize) -> &'s str {
        self.script.word_before(self.index, back)
    }

    /// What closes the brackets that are open here.
    pub(crate) fn closers(&self) -> String {
        let closer = |frame: &Frame| match self.script.word(frame.open) {
            "(" => ")",
            "[" => "]",
            "${" => "}`",
            _ => "}",
        };
        self.frames.iter().rev().map(closer).collect()
    }

    /// Where the entry of the innermost bracket begins that the place is in.
    pub(crate) fn entry_start(&self) -> Option<usize> {
        let frame = self.frames.last()?;
        let before = frame.since.checked_sub(1)?;
        self.script.tokens.get(before).map(|token| token.range.end)
    }

    /// The call whose arguments the place is in, when only maps and lists are between.
    pub(crate) fn enclosing(&self) -> Option<Enclosing> {
        let mut path = Vec::new();
        let mut key_in = None;
        for (depth, frame) in self.frames.iter().rev().enumerate() {
            match self.script.word(frame.open) {
                "#{" => match self.key_of(frame) {
                    Some(key) => path.push(Step::Member(key)),
                    None if depth == 0 && frame.since == self.index => key_in = Some(frame.open),
                    None => return None,
                },
                "[" if !self.is_index(frame.open) => path.push(Step::Element),
                "(" => {
                    let callee = frame.open.checked_sub(1)?;
                    // An argument that is written here is all that is written of it.
                    let is_argument = depth > 0 || frame.since == self.index;
                    path.reverse();
                    return (self.script.is_name(callee) && is_argument).then_some(Enclosing {
                        callee,
                        argument: frame.commas,
                        path,
                        key_in,
                    });
                }
                _ => return None,
            }
        }
        None
    }

    /// The key whose value is being written in a map.
    fn key_of(&self, frame: &Frame) -> Option<String> {
        let is_value = frame.since + 1 < self.index && self.script.word(frame.since + 1) == ":";
        is_value.then(|| key(self.script, frame.since)).flatten()
    }

    /// Whether a bracket takes an element of what is before it.
    fn is_index(&self, open: usize) -> bool {
        open.checked_sub(1).is_some_and(|before| {
            let is_keyword = matches!(self.script.word(before), "in" | "return" | "throw");
            (self.script.is_name(before) && !is_keyword)
                || matches!(self.script.word(before), ")" | "]")
        })
    }
}

/// Whether a place is between the quotes of a text.
fn is_inside(script: &Script<'_>, index: usize, at: usize) -> bool {
    let Some(token) = script.tokens.get(index) else { return false };
    let Kind::Text { closed } = token.kind else { return false };
    token.range.start < at && (at < token.range.end || (!closed && at == token.range.end))
}

/// The name of a member as a map has it, quoted or not.
pub(crate) fn key(script: &Script<'_>, index: usize) -> Option<String> {
    match script.kind(index)? {
        Kind::Name => Some(script.word(index).to_owned()),
        Kind::Text { .. } => script.quoted(index).map(str::to_owned),
        _ => None,
    }
}

/// The names of the members that a map has, which begins at a token.
pub(crate) fn keys(script: &Script<'_>, open: usize) -> Vec<(String, usize)> {
    let end = script.closing(open);
    let mut found = Vec::new();
    let mut index = open + 1;
    let mut is_start = true;
    while index < end {
        if is_start
            && script.word(index + 1) == ":"
            && let Some(key) = key(script, index)
        {
            found.push((key, index));
        }
        match script.kind(index) {
            Some(Kind::Open) => index = script.closing(index),
            // A statement ends here: the map was never closed.
            _ if script.word(index) == ";" => break,
            _ => {}
        }
        is_start = script.word(index) == ",";
        index += 1;
    }
    found
}

/// The brackets that are open before a token. One that closes nothing is passed over; one that closes
/// an outer bracket closes what is inside, too.
fn frames(script: &Script<'_>, end: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for index in 0..end.min(script.tokens.len()) {
        match script.kind(index) {
            Some(Kind::Open) => frames.push(Frame { open: index, since: index + 1, commas: 0 }),
            Some(Kind::Close) => {
                let opens: &[&str] = match script.word(index) {
                    ")" => &["("],
                    "]" => &["["],
                    _ => &["{", "#{", "${"],
                };
                let partner =
                    frames.iter().rposition(|frame| opens.contains(&script.word(frame.open)));
                if let Some(partner) = partner {
                    frames.truncate(partner);
                }
            }
            _ if script.word(index) == "," => {
                if let Some(frame) = frames.last_mut() {
                    frame.since = index + 1;
                    frame.commas += 1;
                }
            }
            _ => {}
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Step, keys};
    use crate::script::Script;

    /// The cursor is where `^` stands.
    fn at(marked: &str, look: impl Fn(&Cursor<'_>)) {
        let place = marked.find('^').expect("the text has a mark");
        let text = marked.replacen('^', "", 1);
        let script = Script::new(&text);
        look(&Cursor::new(&script, place));
    }

    #[test]
    fn words_and_texts_are_found() {
        at("a.cre^ate()", |cursor| assert_eq!(cursor.word, 2..8));
        at("a.^", |cursor| assert_eq!((cursor.before(1), cursor.word.len()), (".", 0)));
        at("a.^\nb", |cursor| assert_eq!((cursor.before(1), cursor.word.len()), (".", 0)));
        at("f(\"^\")", |cursor| assert!(cursor.quoted.is_some()));
        at("f(\"a^", |cursor| assert!(cursor.quoted.is_some()));
        at("f(\"a\"^)", |cursor| assert!(cursor.quoted.is_none()));
        at("f^(", |cursor| assert_eq!(cursor.script.word(cursor.index), "f"));
        at("^", |cursor| assert_eq!(cursor.index, 0));
    }

    #[test]
    fn the_call_around_is_found_with_the_way_to_its_value() {
        at("x(1, #{ a: 2, b: [#{ c: \"^\" }] })", |cursor| {
            let call = cursor.enclosing().expect("it is in a call");
            assert_eq!((cursor.script.word(call.callee), call.argument), ("x", 1));
            let member = |name: &str| Step::Member(name.to_owned());
            assert_eq!(call.path, [member("b"), Step::Element, member("c")]);
            assert!(call.key_in.is_none());
        });
        at("x(#{ a: 2, ^", |cursor| {
            let call = cursor.enclosing().expect("it is in a call");
            assert!(call.path.is_empty());
            let given = keys(cursor.script, call.key_in.expect("a key is written"));
            assert_eq!(given[0].0, "a");
        });
        at("x(#{ \"na^\": 1 })", |cursor| {
            assert!(cursor.enclosing().is_some_and(|call| call.key_in.is_some()));
        });
        at("x(|| { ^ })", |cursor| assert!(cursor.enclosing().is_none()));
        at("x(a + ^)", |cursor| assert!(cursor.enclosing().is_none()));
        at("x(#{ a: b[^] })", |cursor| assert!(cursor.enclosing().is_none()));
    }

    #[test]
    fn what_is_open_can_be_closed() {
        at("f(|| { g(#{ a: [^", |cursor| assert_eq!(cursor.closers(), "]})})"));
        at("f(1) } [^", |cursor| assert_eq!(cursor.closers(), "]"));
        at("`a ${b.^", |cursor| assert_eq!(cursor.closers(), "}`"));
    }
}
