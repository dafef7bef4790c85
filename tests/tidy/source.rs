//! Rules about single source files: headers, names, sizes.

use super::{File, files, refuse, rust_files};

/// Lines that a file may have.
const FILE_LINES: usize = 900;
/// Lines that a function may have, from its name to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Files that are longer, with their length: they may only shrink.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions that are longer, with their length: they may only shrink.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

#[test]
fn every_file_says_what_it_is_for() {
    let mut all = rust_files();
    all.extend(files("stdlib").into_iter().chain(files("runbooks")));
    all.retain(|file| file.has_ending("rs") || file.has_ending("rhai"));
    let problems: Vec<String> = all
        .iter()
        .filter(|file| {
            let first = file.text.lines().find(|line| !line.contains("@generated"));
            !first.is_some_and(|line| line.starts_with("//! ") && line.len() > 8)
        })
        .map(|file| file.path.clone())
        .collect();
    refuse(&problems, "these files do not begin with a `//!` line that says what they are for");
}

#[test]
fn names_say_what_is_inside() {
    let banned = ["mod.rs", "util.rs", "utils.rs", "helpers.rs", "common.rs", "misc.rs"];
    let problems: Vec<String> = rust_files()
        .iter()
        // Cargo takes any other name beside a crate's tests for a test of its own.
        .filter(|file| !file.path.ends_with("/tests/support/mod.rs"))
        .filter(|file| banned.contains(&file.name()))
        .map(|file| file.path.clone())
        .collect();
    refuse(&problems, "a module is `name.rs` beside `name/`, and its name says what is in it");
}

#[test]
fn files_stay_readable() {
    let mut problems = Vec::new();
    let all = rust_files();
    for file in all.iter().filter(|file| !file.is_generated()) {
        let lines = file.text.lines().count();
        let listed = LONG_FILES.iter().find(|(path, _)| *path == file.path);
        let limit = listed.map_or(FILE_LINES, |(_, lines)| *lines);
        if lines > limit {
            problems.push(format!("{} has {lines} lines, the limit is {limit}", file.path));
        } else if listed.is_some() && lines <= FILE_LINES {
            problems.push(format!("{} fits now: take it out of LONG_FILES", file.path));
        }
    }
    for (path, _) in LONG_FILES {
        if !all.iter().any(|file| file.path == *path) {
            problems.push(format!("{path} is gone: take it out of LONG_FILES"));
        }
    }
    refuse(&problems, "split what is too long");
}

#[test]
fn functions_stay_readable() {
    let mut problems = Vec::new();
    let mut met = 0;
    // A test may be a long table of cases.
    let is_test = |file: &File| file.path.contains("tests/") || file.name() == "tests.rs";
    for file in rust_files().iter().filter(|file| !file.is_generated() && !is_test(file)) {
        for (name, lines) in functions(file) {
            let listed = LONG_FUNCTIONS
                .iter()
                .find(|(path, function, _)| *path == file.path && *function == name);
            met += usize::from(listed.is_some());
            let limit = listed.map_or(FUNCTION_LINES, |(_, _, lines)| *lines);
            if lines > limit {
                problems.push(format!(
                    "{}: `{name}` has {lines} lines, the limit is {limit}",
                    file.path
                ));
            } else if listed.is_some() && lines <= FUNCTION_LINES {
                problems.push(format!(
                    "{}: `{name}` fits now: take it out of LONG_FUNCTIONS",
                    file.path
                ));
            }
        }
    }
    if met < LONG_FUNCTIONS.len() {
        problems.push("LONG_FUNCTIONS names a function that is gone".to_owned());
    }
    refuse(&problems, "split what is too long");
}

/// The functions of a file with their lengths.
fn functions(file: &File) -> Vec<(String, usize)> {
    let code = without_text(&file.text);
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let name: String = code[at + 3..]
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect();
        if !is_word || name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_body(bytes, at) {
            found.push((name, code[at..=end].matches('\n').count() + 1));
        }
    }
    found
}

/// Where the body of the function at `start` ends; nothing for one without a body.
fn end_of_body(code: &[u8], start: usize) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut braces = 0_usize;
    for (offset, byte) in code[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(start + offset);
                }
            }
            _ => {}
        }
    }
    None
}

/// The code with comments, strings and characters blanked, line ends kept: what is left can be counted.
fn without_text(code: &str) -> String {
    let bytes = code.as_bytes();
    let mut out = vec![b' '; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = text_length(rest, at > 0 && is_name(bytes[at - 1]));
        if length == 0 {
            out[at] = if rest[0].is_ascii() { rest[0] } else { b'_' };
            at += 1;
            continue;
        }
        for (place, byte) in out[at..at + length].iter_mut().zip(rest) {
            if *byte == b'\n' {
                *place = b'\n';
            }
        }
        at += length;
    }
    String::from_utf8(out).expect("only ASCII was kept")
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of the comment, string or character that begins here; 0 when none does.
fn text_length(rest: &[u8], after_name: bool) -> usize {
    let until = |from: usize, end: &[u8]| {
        let found = rest[from..].windows(end.len()).position(|window| window == end);
        found.map_or(rest.len(), |place| from + place + end.len())
    };
    match rest {
        [b'/', b'/', ..] => until(2, b"\n") - 1,
        [b'/', b'*', ..] => until(2, b"*/"),
        [b'r', b'"' | b'#', ..] if !after_name => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return 0;
            }
            let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            until(2 + hashes, &end)
        }
        [b'"', ..] => quoted_length(rest, b'"'),
        [b'\'', b'\\', ..] => quoted_length(rest, b'\''),
        // A character has its quote two places on, a lifetime has not.
        [b'\'', byte, ..] => {
            let width = match byte {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            if rest.get(1 + width) == Some(&b'\'') { 2 + width } else { 0 }
        }
        _ => 0,
    }
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[test]
fn functions_are_measured_past_text() {
    let text = "fn a() {\n  let x = \"}\\\"\"; // }\n  let y = '{';\n  let z = r#\"}\"#;\n}\nfn b();\nimpl<'a> C<'a> { fn d(&'a self) {} }\n";
    let file = File { path: "x.rs".to_owned(), text: text.to_owned() };
    assert_eq!(functions(&file), [("a".to_owned(), 5), ("d".to_owned(), 1)]);
}
