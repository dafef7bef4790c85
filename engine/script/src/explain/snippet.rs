//! Lines to paste into a runbook: the call with what it needs, and the wait after it.
//!
//! Values are stand-ins of the right type; what they have to be is on the page above them.

use std::fmt::Write as _;

use piton_core::catalogue::States;
use piton_models::{Model, Operation, Shape, ShapeKind};
use serde_json::Value;

/// How deep required members are written out.
const DEPTH_MAX: usize = 6;

/// Words that Rhai keeps for itself: as the key of a map they are quoted, as a member indexed.
const RESERVED: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "exit",
    "export",
    "false",
    "fn",
    "Fn",
    "for",
    "global",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "use",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// The call, and the wait for what it starts when the catalogue knows the states.
pub(crate) fn of(model: &Model, operation: &Operation, states: Option<&States>) -> String {
    let name = operation.script_name();
    let client = client(model);
    let input = model.input_shape(operation);
    let is_empty = input.is_none_or(|shape| shape.members.0.is_empty());
    let literal = match input {
        Some(shape) if !is_empty => structure(model, shape, 0),
        _ => "#{}".to_owned(),
    };
    let Some(states) = states else {
        let start = match model.output_shape(operation) {
            Some(shape) if !shape.members.0.is_empty() => "let answer = ",
            _ => "",
        };
        return format!("{start}{client}.{name}({literal});\n");
    };
    let uses = |root: &str| states_use(&states.input, root);
    let mut text = String::new();
    let argument = match uses("$input") {
        true => {
            text = format!("let input = {literal};\n");
            "input".to_owned()
        }
        false => literal,
    };
    let start = if uses("$output") { "let answer = " } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{start}{client}.{name}({argument});");
    text.push_str(&wait(&client, &name, states));
    text
}

fn client(model: &Model) -> String {
    let name = &model.script_name;
    match piton_models::services().contains(&name.as_str()) {
        true => format!("aws(\"admin\").{name}"),
        false => format!("aws(\"admin\").service(\"{name}\")"),
    }
}

fn wait(client: &str, name: &str, states: &States) -> String {
    let mut options = vec![format!("path: {}", quoted(&states.path))];
    let lists = [("ok", &states.ok), ("fail", &states.fail), ("gone", &states.gone)];
    for (option, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let list: Vec<String> = list.iter().map(|state| quoted(state)).collect();
        options.push(format!("{option}: [{}]", list.join(", ")));
    }
    options.push("every: \"15s\", give_up: \"30m\"".to_owned());
    let read = match states.input.as_object() {
        Some(members) if !members.is_empty() => {
            let lines: String = members
                .iter()
                .map(|(name, member)| format!("    {}: {},\n", key(name), filled(member)))
                .collect();
            format!("#{{\n{lines}}}")
        }
        _ => "#{}".to_owned(),
    };
    let lines: String = options.iter().map(|option| format!("    {option},\n")).collect();
    let read_name = &states.read;
    format!("wait_until(\"{name}\", || {client}.{read_name}({read}), #{{\n{lines}}});\n")
}

fn states_use(template: &Value, root: &str) -> bool {
    piton_core::catalogue::places(template).iter().any(|place| place.starts_with(root))
}

/// A template as an expression over `input` and `answer`.
fn filled(template: &Value) -> String {
    match template {
        Value::String(text) => match text.split_once('.') {
            Some(("$input", path)) => format!("input{}", access(path)),
            Some(("$output", path)) => format!("answer{}", access(path)),
            _ => quoted(text),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(filled).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) if members.is_empty() => "#{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, member)| format!("{}: {}", key(name), filled(member)))
                .collect();
            format!("#{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn access(path: &str) -> String {
    path.split('.')
        .map(|name| match name.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) if RESERVED.contains(&name) => format!("[{}]", quoted(name)),
            Err(_) => format!(".{name}"),
        })
        .collect()
}

/// A member's name as the key of a map: quoted where the language wants it.
pub fn key(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match RESERVED.contains(&name) || !name.chars().all(is_plain) {
        true => quoted(name),
        false => name.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn structure(model: &Model, shape: &Shape, depth: usize) -> String {
    let needed: Vec<_> = match shape.union {
        true => shape.members.0.iter().take(1).collect(),
        false => shape.members.0.iter().filter(|(name, _)| shape.requires(name)).collect(),
    };
    // A token is given by the engine.
    let needed = needed.into_iter().filter(|(_, member)| !member.idempotency_token);
    let indent = "    ".repeat(depth + 1);
    let mut text = String::new();
    for (name, member) in needed {
        let value = value(model, model.shape(&member.shape), depth + 1);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{indent}{}: {value},", key(name));
    }
    match text.is_empty() {
        true => "#{}".to_owned(),
        false => format!("#{{\n{text}{}}}", "    ".repeat(depth)),
    }
}

fn value(model: &Model, shape: &Shape, depth: usize) -> String {
    match shape.kind {
        ShapeKind::Structure if shape.document || depth >= DEPTH_MAX => "#{}".to_owned(),
        ShapeKind::Structure => structure(model, shape, depth),
        ShapeKind::List => match &shape.member {
            Some(element) if depth < DEPTH_MAX => {
                format!("[{}]", value(model, model.shape(&element.shape), depth))
            }
            _ => "[]".to_owned(),
        },
        ShapeKind::Map => "#{}".to_owned(),
        ShapeKind::String | ShapeKind::Character => match shape.enumeration.first() {
            Some(first) => quoted(first),
            None => "\"...\"".to_owned(),
        },
        ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => {
            format!("{}", shape.min.unwrap_or(1.0))
        }
        ShapeKind::Float | ShapeKind::Double | ShapeKind::BigDecimal => {
            format!("{:.1}", shape.min.unwrap_or(1.0))
        }
        ShapeKind::Boolean => "false".to_owned(),
        ShapeKind::Blob => "\"\"".to_owned(),
        ShapeKind::Timestamp => "\"2026-01-31T12:00:00Z\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use piton_core::catalogue;
    use piton_core::ports::ProgramFile;

    use super::{access, key, of};
    use crate::Program;

    #[test]
    fn every_snippet_is_a_script() {
        for service in piton_models::services().iter().chain(piton_models::further_services()) {
            let model = piton_models::service(service).expect("a listed service has a model");
            let mut text = "runbook(#{ title: \"t\", summary: \"s\", accounts: #{ admin: #{ doc: \"a\" } } });\n".to_owned();
            for operation in model.operations.values() {
                let name = operation.script_name();
                let reviewed = catalogue::reviewed(service, &name);
                let states = reviewed.and_then(|row| row.states.as_ref());
                let snippet = of(model, operation, states);
                writeln!(text, "step(\"{name}\", || {{\n{snippet}}});").expect("a String takes it");
            }
            let file = ProgramFile { path: format!("{service}.rhai"), text };
            if let Err(problems) = Program::from_files(service, vec![file]) {
                panic!("{service}: {problems:#?}");
            }
        }
    }

    #[test]
    fn words_of_rhai_are_quoted() {
        assert_eq!(key("default"), "\"default\"");
        assert_eq!(key("name"), "name");
        assert_eq!(access("a.0.in"), ".a[0][\"in\"]");
    }
}
