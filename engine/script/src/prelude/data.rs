//! Data: files of the runbook's folder, JSON, CSV, reading maps by path, and secrets as values.

use piton_core::canonical;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::secret::{self, MASK, Origin};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::reports::no_file;
use super::{add, csv, text};
use crate::failure::{self, Native, Raise};
use crate::options::Options;
use crate::session::Session;
use crate::value::{self, Secret, Secrets};

/// The type of secrets, where an engine keeps types.
pub(crate) fn register_types(engine: &mut Engine) {
    engine.register_type_with_name::<Secret>("secret");
}

pub(super) fn register(module: &mut Module) {
    add(module, "asset", |context: NativeCallContext<'_>, path: Dynamic| {
        let path = text(&context, "path", &path)?;
        match Session::current().program.file(&path) {
            Some(text) => Ok(ImmutableString::from(text)),
            None => Err(no_file(&context, "file", &path)),
        }
    });
    // Rhai's own parse_json takes a text, so this one does too.
    add(module, "parse_json", |context: NativeCallContext<'_>, json: ImmutableString| {
        parse_json(&context, &json)
    });
    add(module, "parse_json", |context: NativeCallContext<'_>, other: Dynamic| {
        text(&context, "text", &other).and_then(|json| parse_json(&context, &json))
    });
    // Rhai's own to_json takes a map.
    add(module, "to_json", |context: NativeCallContext<'_>, map: Map| {
        to_json(&context, &Dynamic::from_map(map))
    });
    add(module, "to_json", |context: NativeCallContext<'_>, value: Dynamic| {
        to_json(&context, &value)
    });
    add(module, "parse_csv", |context: NativeCallContext<'_>, csv: Dynamic| {
        parse_csv(&context, &csv, Map::new().into())
    });
    add(module, "parse_csv", |context: NativeCallContext<'_>, csv: Dynamic, options: Dynamic| {
        parse_csv(&context, &csv, options)
    });
    add(module, "get", |map: Map, path: ImmutableString| {
        part(&map, &path).unwrap_or(Dynamic::UNIT)
    });
    add(module, "get", |map: Map, path: ImmutableString, preset: Dynamic| {
        part(&map, &path).filter(|value| !value.is_unit()).unwrap_or(preset)
    });
    register_secrets(module);
}

fn register_secrets(module: &mut Module) {
    add(module, "to_string", |_: Secret| MASK);
    add(module, "to_debug", |_: Secret| MASK);
    add(module, "print", |_: Secret| MASK);
    add(module, "debug", |_: Secret| MASK);
    for operator in ["==", "!="] {
        add(module, operator, |context: NativeCallContext<'_>, _: Secret, _: Secret| {
            Err::<bool, _>(no_comparison(&context))
        });
        add(module, operator, |context: NativeCallContext<'_>, _: Secret, _: ImmutableString| {
            Err::<bool, _>(no_comparison(&context))
        });
        add(module, operator, |context: NativeCallContext<'_>, _: ImmutableString, _: Secret| {
            Err::<bool, _>(no_comparison(&context))
        });
    }
}

fn no_comparison(context: &NativeCallContext<'_>) -> Raise {
    failure::bad_argument_hint(
        context,
        "a secret cannot be compared: only AWS calls look inside",
        "compare with () to see whether it was given",
    )
}

fn parse_json(context: &NativeCallContext<'_>, json: &str) -> Native {
    serde_json::from_str(json).map(value::from_parsed).map_err(|problem| {
        let message = format!("the text is not JSON: {problem}");
        failure::raise(context, Diagnostic::error(Code::BadArgument, message))
    })
}

/// The text of a value; a handle of that text when a secret is part of it.
fn to_json(context: &NativeCallContext<'_>, value: &Dynamic) -> Native<Dynamic> {
    match value::to_json(value, Secrets::Handles) {
        // The canonical text leaves absent members out, and its order never changes.
        Ok(value) => {
            let text = canonical::text(&value);
            Ok(match secret::has_handle(&value) {
                true => Dynamic::from(Secret(Origin::Json { text })),
                false => text.into(),
            })
        }
        Err(problem) => {
            let message = problem.sentence("what `to_json` gets");
            Err(failure::raise(context, Diagnostic::error(Code::NotPlainData, message)))
        }
    }
}

/// A list of maps by the header's names, or of lists when there is no header.
fn parse_csv(context: &NativeCallContext<'_>, csv: &Dynamic, options: Dynamic) -> Native<Array> {
    let csv = text(context, "text", csv)?;
    let mut options = Options::new(context, "parse_csv", options, &["separator", "header"])?;
    let separator = options.text("separator")?.unwrap_or_else(|| ",".to_owned());
    let mut characters = separator.chars();
    let (Some(separator), None) = (characters.next(), characters.next()) else {
        return Err(options.wrong("separator", "is one character"));
    };
    let has_header = options.boolean("header")?.unwrap_or(true);
    let records = csv::records(&csv, separator).map_err(|error| {
        let message = format!("line {} of the CSV has {}", error.line, error.problem);
        failure::bad_argument(context, message)
    })?;
    let list = |record: Vec<String>| record.into_iter().map(Dynamic::from).collect::<Array>();
    if !has_header {
        return Ok(records.into_iter().map(|record| list(record).into()).collect());
    }
    let mut records = records.into_iter();
    let header = records.next().unwrap_or_default();
    let mut rows = Array::new();
    for (index, record) in records.enumerate() {
        if record.len() != header.len() {
            let (found, wanted) = (record.len(), header.len());
            let message =
                format!("record {} of the CSV has {found} fields, not {wanted}", index + 1);
            return Err(failure::bad_argument(context, message));
        }
        let row = header.iter().map(|name| name.as_str().into()).zip(list(record));
        rows.push(Dynamic::from_map(row.collect()));
    }
    Ok(rows)
}

/// A part of a map by dotted path, `tags.0.key`; a member of just that name comes first.
fn part(map: &Map, path: &str) -> Option<Dynamic> {
    if let Some(member) = map.get(path) {
        return Some(member.flatten_clone());
    }
    let (first, mut rest) = path.split_once('.')?;
    let mut value = map.get(first)?.flatten_clone();
    while !rest.is_empty() {
        let (name, further) = rest.split_once('.').unwrap_or((rest, ""));
        let next = if let Ok(map) = value.as_map_ref() {
            map.get(name)?.flatten_clone()
        } else if let Ok(items) = value.as_array_ref() {
            items.get(name.parse::<usize>().ok()?)?.flatten_clone()
        } else {
            return None;
        };
        (value, rest) = (next, further);
    }
    Some(value)
}
