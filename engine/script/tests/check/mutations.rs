//! Every name in what ships is misspelt in turn, and the checker has to find it at its place.
//!
//! The names are found by reading the texts, without the checker: services, operations, members that
//! are read, members and options of calls, and values of AWS's enumerations.

use std::collections::{BTreeMap, BTreeSet};
use std::{fmt, thread};

use piton_core::ports::ProgramFile;
use piton_models::{further_services, service, services};
use piton_script::{check, program};

/// Why a name of a kind may be missed, and what becomes of it. What happens at run time is shown in
/// `tests/language/misspelt.rs`.
const REASONS: &[(Kind, &str)] = &[
    (
        Kind::Own,
        "data from outside, and nothing else in the program has the name: the read ends the run",
    ),
    (
        Kind::Read,
        "data from outside, and nothing else in the program has the name: the read ends the run",
    ),
    (
        Kind::Value,
        "a value of the script's own that nothing else has: a call with it is refused by the model, a comparison takes the other way",
    ),
];

/// Of a hundred members of the script's own maps, how many have to be found.
const WANTED_OF_OWN: f64 = 0.97;

/// Of all misspelt names, the share that has to be found.
const WANTED: f64 = 0.98;

/// An unoptimised build looks at a sample, spread over all files.
const STRIDE: usize = if cfg!(debug_assertions) { 23 } else { 1 };
const THREADS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Service,
    Operation,
    /// A member of what AWS answers.
    Read,
    /// A member whose name a script writes, too: it may be of the script's own map.
    Own,
    Member,
    Option,
    Value,
}

/// A name in a text.
struct Target {
    kind: Kind,
    name: String,
    /// Bytes of the name alone.
    start: usize,
    /// Byte at which its place begins: the quote of a text.
    place: usize,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.kind, self.name)
    }
}

/// The names that AWS gives.
struct Aws {
    services: BTreeSet<String>,
    operations: BTreeSet<String>,
    values: BTreeSet<String>,
    /// Members of what AWS answers that no script gives to a map of its own.
    members: BTreeSet<String>,
}

impl Aws {
    fn new() -> Self {
        let names: Vec<&str> = services().iter().chain(further_services()).copied().collect();
        let mut aws = Self {
            services: names.iter().map(|name| (*name).to_owned()).collect(),
            operations: BTreeSet::new(),
            values: BTreeSet::new(),
            members: BTreeSet::new(),
        };
        for name in names {
            let model = service(name).unwrap();
            aws.operations.extend(model.script_names().map(str::to_owned));
            aws.operations.extend(model.script_names().map(|name| format!("{name}_all")));
            for shape in model.shapes.values() {
                aws.values.extend(shape.enumeration.iter().cloned());
                aws.members.extend(shape.members.0.iter().map(|(name, _)| name.clone()));
            }
        }
        aws
    }
}

/// Names that a script gives to members.
fn written(text: &str) -> Vec<&str> {
    let tokens = tokens(text);
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let names = (1..tokens.len()).filter(|index| {
        (text(index + 1) == ":" && text(index + 2) != ":")
            || (text(index - 1) == "." && text(index + 1) == "=")
    });
    names.map(|index| text(index).trim_matches('"')).collect()
}

/// A piece of a text.
struct Token<'t> {
    text: &'t str,
    start: usize,
}

/// Words, texts and signs; comments are left out, code inside texts is not.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut nested: Vec<usize> = Vec::new();
    let mut at = 0;
    let mut in_text = false;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if in_text {
            if rest.starts_with("``") {
                at += 2;
            } else if first == '`' {
                in_text = false;
                at += 1;
            } else if rest.starts_with("${") {
                nested.push(0);
                in_text = false;
                at += 2;
            } else {
                at += first.len_utf8();
            }
            continue;
        }
        let length = match first {
            '/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '`' => {
                in_text = true;
                at += 1;
                continue;
            }
            '"' => {
                let mut escaped = false;
                let inside = rest[1..].find(|c: char| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                inside.unwrap() + 2
            }
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            _ if rest.starts_with("#{") || rest.starts_with("==") || rest.starts_with("..") => 2,
            c => c.len_utf8(),
        };
        match (first, nested.last_mut()) {
            ('{', Some(depth)) => *depth += 1,
            ('#', Some(depth)) if length == 2 => *depth += 1,
            ('}', Some(0)) => {
                nested.pop();
                in_text = true;
                at += 1;
                continue;
            }
            ('}', Some(depth)) => *depth -= 1,
            _ => {}
        }
        if !first.is_whitespace() {
            found.push(Token { text: &rest[..length], start: at });
        }
        at += length;
    }
    found
}

/// What an open bracket belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Operation,
    Prelude,
    /// The map of options itself.
    Options,
    /// A map that an operation gets by a variable.
    Held,
    /// The runbook's declaration.
    Declaration,
    Other,
}

const WITH_OPTIONS: [&str; 7] =
    ["approve", "manual", "parse_csv", "query", "random_password", "retry", "wait_until"];

fn targets(text: &str, aws: &Aws) -> Vec<Target> {
    let tokens = tokens(text);
    let word = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let held = held(&tokens, aws);
    let mut found = Vec::new();
    let mut around = vec![Around::Other];
    for (index, token) in tokens.iter().enumerate() {
        let before = if index == 0 { "" } else { word(index - 1) };
        let (next, here) = (word(index + 1), *around.last().unwrap());
        let is_word = token.text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let mut add = |kind, name: &str, start, place| {
            found.push(Target { kind, name: name.to_owned(), start, place });
        };
        match token.text {
            "(" => around.push(match before {
                name if index > 1 && word(index - 2) == "." && aws.operations.contains(name) => {
                    Around::Operation
                }
                name if WITH_OPTIONS.contains(&name) => Around::Prelude,
                "runbook" => Around::Declaration,
                _ => Around::Other,
            }),
            "#{" => around.push(match here {
                Around::Prelude => Around::Options,
                Around::Operation => Around::Operation,
                Around::Declaration => Around::Declaration,
                Around::Held => Around::Held,
                _ if before == "=" && held.contains(word(index - 2)) => Around::Held,
                _ => Around::Other,
            }),
            "[" => around.push(if here == Around::Operation || here == Around::Held {
                here
            } else {
                Around::Other
            }),
            "{" => around.push(Around::Other),
            ")" | "]" | "}" => drop(around.pop()),
            name if is_word && before == "." => {
                if aws.services.contains(name) && next == "." {
                    add(Kind::Service, name, token.start, token.start);
                } else if next == "(" {
                    if aws.operations.contains(name) {
                        add(Kind::Operation, name, token.start, token.start);
                    }
                } else if next != "=" {
                    let kind = if aws.members.contains(name) { Kind::Read } else { Kind::Own };
                    add(kind, name, token.start, token.start);
                }
            }
            name if is_word && next == ":" && word(index + 2) != ":" => match here {
                Around::Operation | Around::Held => {
                    add(Kind::Member, name, token.start, token.start);
                }
                Around::Options => add(Kind::Option, name, token.start, token.start),
                _ => {}
            },
            quoted if quoted.starts_with('"') => {
                let inner = &quoted[1..quoted.len() - 1];
                let is_shout = inner.len() > 2
                    && inner
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
                if is_shout
                    && here != Around::Declaration
                    && aws.values.contains(inner)
                    && next != ":"
                {
                    add(Kind::Value, inner, token.start + 1, token.start);
                }
            }
            _ => {}
        }
    }
    found
}

/// Variables that stand in the input of an operation: `get_x(address + #{ ... })`.
fn held<'t>(tokens: &[Token<'t>], aws: &Aws) -> BTreeSet<&'t str> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    (0..tokens.len())
        .filter(|index| {
            aws.operations.contains(text(*index))
                && text(index + 1) == "("
                && matches!(text(index + 3), "+" | ")")
        })
        .map(|index| text(index + 2))
        .collect()
}

/// The name with one slip of the fingers.
fn misspelt(name: &str) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    for at in 1..characters.len().saturating_sub(1) {
        if characters[at] != characters[at + 1] {
            characters.swap(at, at + 1);
            return characters.into_iter().collect();
        }
    }
    format!("{name}x")
}

/// Line and column of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    (text[..at].matches('\n').count() + 1, text[start..at].chars().count() + 1)
}

fn files_of(name: &str) -> Vec<ProgramFile> {
    piton_script::Program::packaged(name).unwrap().files().to_vec()
}

/// Waits for the states that no example waits for.
const WAITS: &str = "{ import \"std/waits\" as waits; let dz = aws(\"admin\").datazone;
    let it = #{ domainIdentifier: \"dzd_1\", identifier: \"abcdef\" };
    wait_until(\"a\", || dz.get_domain(#{ identifier: \"dzd_1\" }), waits::domain_gone());
    wait_until(\"b\", || dz.get_environment(it), waits::environment_gone()); }\n";

/// A runbook of all examples in the standard modules: it calls every function of them.
fn examples() -> Vec<ProgramFile> {
    let mut text =
        "runbook(#{ title: \"Examples\", accounts: #{ admin: #{}, receiver: #{} } });\n".to_owned();
    let mut modules = Vec::new();
    for path in program::standard_modules() {
        let module = program::standard_module(path).unwrap();
        let mut is_code = false;
        for line in module.lines() {
            match line.trim().strip_prefix("///").map(str::trim) {
                Some("```rhai") => {
                    is_code = true;
                    text.push_str("{\n");
                }
                Some("```") if is_code => {
                    is_code = false;
                    text.push_str("}\n");
                }
                Some(code) if is_code => text.push_str(&format!("{code}\n")),
                _ => {}
            }
        }
        modules.push(ProgramFile { path: path.to_owned(), text: module.to_owned() });
    }
    text.push_str(WAITS);
    modules.insert(0, ProgramFile { path: "examples.rhai".to_owned(), text });
    modules
}

/// Whether a misspelling in one file of a program is found where it is.
fn finds(program: &[ProgramFile], path: &str, target: &Target, wrong: &str) -> bool {
    let mut files = program.to_vec();
    let Some(file) = files.iter_mut().find(|file| file.path == path) else { return false };
    let (line, column) = place(&file.text, target.place);
    file.text.replace_range(target.start..target.start + target.name.len(), wrong);
    check::check_files("mutated", files).iter().any(|problem| {
        problem
            .place
            .as_ref()
            .is_some_and(|place| place.file == path && place.line == line && place.column == column)
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are for whoever runs it")]
fn misspelt_names_are_found_where_they_are() {
    let mut aws = Aws::new();
    let examples = examples();
    let runbooks: Vec<Vec<ProgramFile>> = program::packaged().into_iter().map(files_of).collect();
    for file in runbooks.iter().flatten().chain(&examples[1..]) {
        for name in written(&file.text) {
            aws.members.remove(name);
        }
    }
    let mut work: Vec<(&ProgramFile, Vec<&[ProgramFile]>)> =
        runbooks.iter().map(|files| (&files[0], vec![files.as_slice()])).collect();
    work.extend(examples[1..].iter().map(|file| {
        let users =
            runbooks.iter().filter(|files| files.iter().any(|other| other.path == file.path));
        (file, std::iter::once(examples.as_slice()).chain(users.map(Vec::as_slice)).collect())
    }));
    let all: Vec<(&ProgramFile, &[&[ProgramFile]], Target)> = work
        .iter()
        .flat_map(|(file, programs)| {
            let found = targets(&file.text, &aws).into_iter();
            found.map(|target| (*file, programs.as_slice(), target))
        })
        .step_by(STRIDE)
        .collect();
    let results: Vec<bool> = thread::scope(|scope| {
        let size = all.len().div_ceil(THREADS);
        let parts: Vec<_> = all
            .chunks(size)
            .map(|part| {
                scope.spawn(move || {
                    let is_found =
                        |(file, programs, target): &(&ProgramFile, &[&[ProgramFile]], Target)| {
                            let wrong = misspelt(&target.name);
                            programs
                                .iter()
                                .any(|program| finds(program, &file.path, target, &wrong))
                        };
                    part.iter().map(is_found).collect::<Vec<bool>>()
                })
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let mut counts: BTreeMap<Kind, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for ((file, _, target), is_found) in all.iter().zip(results) {
        let (found, of) = counts.entry(target.kind).or_default();
        *of += 1;
        if is_found {
            *found += 1;
            continue;
        }
        let (line, column) = place(&file.text, target.place);
        let reason = REASONS.iter().find(|(kind, _)| *kind == target.kind);
        let reason = reason.map_or("NO REASON", |(_, reason)| *reason);
        missed.push(format!("{}:{line}:{column} {target}: {reason}", file.path));
    }
    let share = |is_own: bool| {
        let of_kind = counts.iter().filter(|(kind, _)| (**kind == Kind::Own) == is_own);
        let (found, all) =
            of_kind.fold((0_u32, 0_u32), |(found, all), (_, (f, a))| (found + f, all + a));
        println!("{found} of {all} misspelt names found");
        assert!(all > 20, "the names were not found in the texts: {counts:?}");
        f64::from(found) / f64::from(all)
    };
    let (of_aws, of_own) = (share(false), share(true));
    println!("{counts:?}\n{}", missed.join("\n"));
    assert!(of_aws >= WANTED, "too few of AWS's names are found: {counts:?}");
    assert!(of_own >= WANTED_OF_OWN, "too few members of own maps are found: {counts:?}");
    let unexplained: Vec<&String> =
        missed.iter().filter(|line| line.ends_with("NO REASON")).collect();
    assert!(unexplained.is_empty(), "every miss needs a reason in REASONS:\n{unexplained:#?}");
}
