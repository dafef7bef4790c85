//! LIKE, SIMILAR TO and regular expressions.

use regex_lite::{Regex, RegexBuilder};
use rusqlite::types::Value;

use super::{Arguments, Outcome, Scalar, bool_value, size_value, text, text_value};

pub(super) const FUNCTIONS: &[(&str, Scalar)] = &[
    ("rs_like", |a| bool_value(like(a, false))),
    ("rs_ilike", |a| bool_value(like(a, true))),
    ("rs_similar", |a| bool_value(compiled(&similar(&a.text(1)), false)?.is_match(&a.text(0)))),
    ("rs_regex", |a| bool_value(compiled(&a.text(1), a.integer(2)? == 1)?.is_match(&a.text(0)))),
    ("rs_regexp_substr", substr),
    ("rs_regexp_replace", replace),
    ("rs_regexp_count", count),
    ("rs_regexp_instr", instr),
];

enum Step {
    Any,
    One,
    Exactly(char),
}

fn like(arguments: &Arguments, ignore_case: bool) -> bool {
    let fold = |text: String| if ignore_case { text.to_lowercase() } else { text };
    let text: Vec<char> = fold(arguments.text(0)).chars().collect();
    let escape = arguments.text(2).chars().next();
    let pattern = fold(arguments.text(1));
    let mut steps = vec![];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        steps.push(match character {
            escaping if Some(escaping) == escape => match characters.next() {
                Some(escaped) => Step::Exactly(escaped),
                None => Step::Exactly(escaping),
            },
            '%' => Step::Any,
            '_' => Step::One,
            plain => Step::Exactly(plain),
        });
    }
    matches(&text, &steps)
}

/// Goes back to the last `%` when it gets stuck: linear in memory, quadratic in time at worst.
fn matches(text: &[char], steps: &[Step]) -> bool {
    let (mut at, mut step) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match steps.get(step) {
            Some(Step::Any) => {
                retry = Some((step + 1, at));
                step += 1;
                continue;
            }
            Some(Step::One) if at < text.len() => {
                at += 1;
                step += 1;
                continue;
            }
            Some(Step::Exactly(wanted)) if text.get(at) == Some(wanted) => {
                at += 1;
                step += 1;
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((after, from)) if from < text.len() => {
                retry = Some((after, from + 1));
                (step, at) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// A SIMILAR TO pattern as a regular expression over the whole text.
fn similar(pattern: &str) -> String {
    let mut out = "^(?:".to_owned();
    for character in pattern.chars() {
        match character {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

fn compiled(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| format!("invalid regular expression: {error}"))
}

/// The expression of arguments 1 and `parameters` (flags such as `i`).
fn regex(arguments: &Arguments, parameters: usize) -> Result<Regex, String> {
    let flags =
        if arguments.count() > parameters { arguments.text(parameters) } else { String::new() };
    compiled(&arguments.text(1), flags.contains('i'))
}

/// A number among the optional arguments.
fn option(arguments: &Arguments, index: usize, otherwise: i64) -> Result<i64, String> {
    if arguments.count() > index { arguments.integer(index) } else { Ok(otherwise) }
}

/// The byte at which the search begins.
fn start(text: &str, position: i64) -> Result<usize, String> {
    let skipped = usize::try_from(position - 1)
        .map_err(|_negative| "position must be greater than zero".to_owned())?;
    Ok(text.char_indices().nth(skipped).map_or(text.len(), |(byte, _)| byte))
}

fn occurrence(
    text: &str,
    arguments: &Arguments,
    regex: &Regex,
) -> Result<Option<(usize, usize)>, String> {
    let from = start(text, option(arguments, 2, 1)?)?;
    let wanted = usize::try_from(option(arguments, 3, 1)? - 1).unwrap_or(0);
    Ok(regex
        .find_iter(&text[from..])
        .nth(wanted)
        .map(|found| (from + found.start(), from + found.end())))
}

fn substr(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let found = occurrence(&text, arguments, &regex(arguments, 4)?)?;
    text_value(found.map_or("", |(from, to)| &text[from..to]))
}

fn replace(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let replacement = if arguments.count() > 2 { arguments.text(2) } else { String::new() };
    let regex = regex(arguments, 4)?;
    let from = start(&text, option(arguments, 3, 1)?)?;
    // Redshift refers to groups as $1 or \1.
    let replacement = compiled(r"\\(\d)", false)?.replace_all(&replacement, "$${$1}").into_owned();
    let replaced = regex.replace_all(&text[from..], replacement.as_str());
    text_value(format!("{}{replaced}", &text[..from]))
}

fn count(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let from = start(&text, option(arguments, 2, 1)?)?;
    size_value(regex(arguments, 3)?.find_iter(&text[from..]).count())
}

fn instr(arguments: &Arguments) -> Outcome {
    let source = arguments.text(0);
    let after = option(arguments, 4, 0)? == 1;
    match occurrence(&source, arguments, &regex(arguments, 5)?)? {
        Some((from, to)) => text::position_of(&source, if after { to } else { from }),
        None => Ok(Value::Integer(0)),
    }
}
