//! Texts that match the patterns of the service models.
//!
//! Understands the expressions that occur there: literals, classes, groups, alternatives and counts.
//! Look-around is beyond it; [`text`] then says so and the caller has a sample at hand.

use super::chance::Chance;

/// Characters that a `.` stands for: those that encodings get wrong.
pub(super) const AWKWARD: &str =
    "abcXYZ019 -._~+&%=/?#:;,@'\"<>()[]{}|\\^`!*$\u{e9}\u{df}\u{65e5}\u{1f600}";

/// More repetitions than the least that a count without an end gets.
const SLACK: &[usize] = &[1, 3, 8, 20];

enum Node {
    One(Set),
    Group(Vec<Vec<Self>>),
    Repeat(Box<Self>, usize, Option<usize>),
}

#[derive(Default)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

/// A text of `low` to `high` characters that matches, as far as `accepts` can tell. Nothing when the
/// expression is beyond this module or no attempt fits.
pub(super) fn text(
    pattern: &str,
    (low, high): (usize, usize),
    chance: &mut Chance,
    accepts: &dyn Fn(&str) -> bool,
) -> Option<String> {
    const ATTEMPTS: usize = 600;
    let mut parser = Parser { characters: pattern.chars().collect(), at: 0 };
    let alternatives = parser.alternatives()?;
    (0..ATTEMPTS).find_map(|attempt| {
        let mut slack = *SLACK.get(attempt % (SLACK.len() + 1)).unwrap_or(&low);
        if attempt > ATTEMPTS / 2 {
            slack = low;
        }
        let mut text = String::new();
        write(&alternatives, slack, chance, &mut text);
        let length = text.chars().count();
        (length >= low && length <= high && accepts(&text)).then_some(text)
    })
}

fn write(alternatives: &[Vec<Node>], slack: usize, chance: &mut Chance, text: &mut String) {
    for node in chance.pick(alternatives) {
        write_node(node, slack, chance, text);
    }
}

fn write_node(node: &Node, slack: usize, chance: &mut Chance, text: &mut String) {
    match node {
        Node::One(set) => text.push(set.pick(chance)),
        Node::Group(alternatives) => write(alternatives, slack, chance, text),
        Node::Repeat(node, low, high) => {
            let high = high.unwrap_or(usize::MAX).min(low.saturating_add(slack));
            for _ in 0..chance.between(*low, high) {
                write_node(node, slack, chance, text);
            }
        }
    }
}

impl Set {
    fn of(ranges: &[(char, char)]) -> Self {
        Self { ranges: ranges.to_vec(), negated: false }
    }

    fn contains(&self, character: char) -> bool {
        let inside = self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
        inside != self.negated
    }

    fn pick(&self, chance: &mut Chance) -> char {
        if self.negated {
            let fitting: Vec<char> = (' '..='~').filter(|one| self.contains(*one)).collect();
            return *chance.pick(&fitting);
        }
        for _ in 0..50 {
            let (low, high) = *chance.pick(&self.ranges);
            let number = chance.between(low as usize, high as usize);
            let character = u32::try_from(number).ok().and_then(char::from_u32);
            if let Some(character) = character.filter(|character| travels(*character)) {
                return character;
            }
        }
        self.ranges[0].0
    }
}

/// Whether a character survives XML: a carriage return becomes a line feed there, and control
/// characters are not allowed at all.
fn travels(character: char) -> bool {
    matches!(character, '\t' | '\n')
        || !(character.is_control() || matches!(character, '\u{2028}' | '\u{fffe}' | '\u{ffff}'))
}

struct Parser {
    characters: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(offset, wanted)| {
            self.characters.get(self.at + offset).is_some_and(|found| *found == wanted)
        });
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Up to the end or to the bracket that closes the group.
    fn alternatives(&mut self) -> Option<Vec<Vec<Node>>> {
        let mut found = vec![Vec::new()];
        while let Some(character) = self.peek().filter(|character| *character != ')') {
            self.at += 1;
            let node = match character {
                '|' => {
                    found.push(Vec::new());
                    continue;
                }
                '^' | '$' => continue,
                '(' => {
                    if !self.eat("?:") && self.peek() == Some('?') {
                        return None;
                    }
                    let inner = self.alternatives()?;
                    self.eat(")").then_some(Node::Group(inner))?
                }
                '[' => Node::One(self.class()?),
                '.' => Node::One(Set {
                    ranges: AWKWARD.chars().map(|c| (c, c)).collect(),
                    negated: false,
                }),
                '\\' if self.eat("b") => continue,
                '\\' => Node::One(self.escape()?),
                literal => Node::One(Set::of(&[(literal, literal)])),
            };
            let node = self.counted(node)?;
            found.last_mut()?.push(node);
        }
        Some(found)
    }

    fn counted(&mut self, node: Node) -> Option<Node> {
        let (low, high) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.at += 1;
                let low = self.number()?;
                let high = match self.next()? {
                    '}' => return Some(Node::Repeat(Box::new(node), low, Some(low))),
                    _ => self.number(),
                };
                return self.eat("}").then(|| Node::Repeat(Box::new(node), low, high));
            }
            _ => return Some(node),
        };
        self.at += 1;
        Some(Node::Repeat(Box::new(node), low, high))
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|character| character.is_ascii_digit()) {
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect::<String>().parse().ok()
    }

    /// What a backslash begins.
    fn escape(&mut self) -> Option<Set> {
        const WORD: &[(char, char)] = &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
        let code = |parser: &mut Self, digits: usize| {
            let text: String =
                parser.characters.get(parser.at..parser.at + digits)?.iter().collect();
            parser.at += digits;
            // A surrogate is no character: the neighbours below and above are.
            let code = match u32::from_str_radix(&text, 16).ok()? {
                code @ 0xd800..=0xdfff => code.min(0xd7ff),
                code => code,
            };
            char::from_u32(code).map(|character| Set::of(&[(character, character)]))
        };
        Some(match self.next()? {
            'w' => Set::of(WORD),
            'd' => Set::of(&[('0', '9')]),
            's' => Set::of(&[(' ', ' ')]),
            'S' => Set::of(&[('!', '~')]),
            'n' => Set::of(&[('\n', '\n')]),
            'r' | 't' => Set::of(&[('\t', '\t')]),
            'x' => code(self, 2)?,
            'u' => code(self, 4)?,
            'p' => self.category()?,
            literal => Set::of(&[(literal, literal)]),
        })
    }

    /// Some characters of a Unicode category.
    fn category(&mut self) -> Option<Set> {
        const CATEGORIES: &[(&str, &[(char, char)])] = &[
            ("{L}", &[('a', 'z'), ('A', 'Z'), ('\u{e9}', '\u{e9}'), ('\u{65e5}', '\u{65e5}')]),
            ("{M}", &[('\u{301}', '\u{301}')]),
            ("{N}", &[('0', '9')]),
            ("{P}", &[('!', '#'), ('%', '*'), (',', '/')]),
            ("{S}", &[('$', '$'), ('+', '+'), ('<', '>')]),
            ("{Z}", &[(' ', ' ')]),
        ];
        let (_, ranges) = CATEGORIES.iter().find(|(name, _)| self.eat(name))?;
        Some(Set::of(ranges))
    }

    fn class(&mut self) -> Option<Set> {
        let mut set = Set { ranges: Vec::new(), negated: self.eat("^") };
        loop {
            let low = match self.next()? {
                ']' if !set.ranges.is_empty() => return Some(set),
                '\\' => self.escape()?,
                literal => Set::of(&[(literal, literal)]),
            };
            let [(low, first_end)] = low.ranges[..] else {
                set.ranges.extend(low.ranges);
                continue;
            };
            let ends_class = self.characters.get(self.at + 1) == Some(&']');
            if low != first_end || self.peek() != Some('-') || ends_class {
                set.ranges.push((low, first_end));
                continue;
            }
            self.at += 1;
            let high = match self.next()? {
                '\\' => self.escape()?,
                literal => Set::of(&[(literal, literal)]),
            };
            match high.ranges[..] {
                [(high, end)] if high == end && high >= low => set.ranges.push((low, high)),
                // `a-\w`: the hyphen is a character of its own.
                _ => {
                    set.ranges.extend([(low, low), ('-', '-')]);
                    set.ranges.extend(high.ranges);
                }
            }
        }
    }
}
