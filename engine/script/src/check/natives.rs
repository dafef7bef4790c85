//! The prelude's functions: their options as literals, and what they answer.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::sync::OnceLock;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::time::Span;
use piton_models::suggest;
use serde_json::Value;

use super::columns::columns;
use super::infer::Inference;
use super::ty::{Field, Kind, Record, Spot, Ty};
use crate::engine;
use crate::prelude::calls;
use crate::words::FunctionOption;

/// What an option takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Bool,
    Span,
    Whole(i64, i64),
    One(&'static [&'static str]),
    Closure,
    Map,
    Nested(&'static [(&'static str, Self)]),
    Anything,
}

use Takes::{Anything, Bool, Map, Nested, One, Text, Whole};

const WAIT: &[(&str, Takes)] = &[
    ("path", Text),
    ("ok", Anything),
    ("fail", Anything),
    ("gone", Anything),
    ("every", Takes::Span),
    ("give_up", Takes::Span),
];
const RETRY: &[(&str, Takes)] =
    &[("on", Anything), ("every", Takes::Span), ("give_up", Takes::Span)];
const SETTLED_BY: &[(&str, Takes)] =
    &[("call", Takes::Closure), ("path", Text), ("ok", Anything), ("fail", Anything), ("by", Text)];
const APPROVE: &[(&str, Takes)] = &[
    ("show", Anything),
    ("from", Anything),
    ("need", Whole(1, 100)),
    ("exclude", Anything),
    ("self", Bool),
    ("expires", Takes::Span),
    ("on_expire", One(&["reject", "approve"])),
    ("on_reject", One(&["raise", "return"])),
    ("form", Map),
    ("settled_by", Nested(SETTLED_BY)),
];
const MANUAL: &[(&str, Takes)] = &[
    ("show", Anything),
    ("from", Anything),
    ("need", Whole(1, 100)),
    ("exclude", Anything),
    ("self", Bool),
    ("expires", Takes::Span),
    ("on_expire", One(&["reject", "approve"])),
    ("on_reject", One(&["raise", "return"])),
    ("form", Map),
    ("settled_by", Nested(SETTLED_BY)),
    ("instructions", Text),
    ("evidence", Text),
];
const QUERY: &[(&str, Takes)] = &[
    ("sql", Text),
    ("target", Nested(&TARGET)),
    ("parameters", Map),
    ("keep", One(&["all", "sample", "digest"])),
    ("give_up", Takes::Span),
];
const TARGET: [(&str, Takes); 2 * calls::TARGET.len()] = texts(&calls::TARGET);
const PASSWORD: &[(&str, Takes)] = &[("length", Whole(8, 128)), ("alphabet", Text)];
const CSV: &[(&str, Takes)] = &[("separator", Text), ("header", Bool)];
const PARALLEL_MAP: &[(&str, Takes)] =
    &[("max", Whole(1, 256)), ("ramp", Bool), ("tolerate", Anything)];
const CALL_RUNBOOK: &[(&str, Takes)] = &[("accounts", Map)];
const ASSUME: &[(&str, Takes)] = &[("external_id", Text), ("session_name", Text)];

const ANSWERED: [&str; 23] = [
    "account",
    "alias",
    "arn",
    "at",
    "by",
    "columns",
    "comment",
    "decision",
    "digest",
    "error",
    "evidence",
    "fields",
    "index",
    "item",
    "location",
    "ok",
    "region",
    "row_count",
    "rows",
    "settled",
    "state",
    "statement_id",
    "value",
];

/// Members that are texts, each by two names.
const fn texts<const N: usize>(
    names: &[(&'static str, &'static str)],
) -> [(&'static str, Takes); N] {
    let mut all = [("", Text); N];
    let mut at = 0;
    while at < names.len() {
        all[2 * at] = (names[at].0, Text);
        all[2 * at + 1] = (names[at].1, Text);
        at += 1;
    }
    all
}

/// A function with options: its name, which argument they are, what they take, and which of them must
/// be there.
type WithOptions = (&'static str, usize, &'static [(&'static str, Takes)], &'static [&'static str]);

/// Functions with options.
const WITH_OPTIONS: &[WithOptions] = &[
    ("approve", 1, APPROVE, &[]),
    ("call_runbook", 2, CALL_RUNBOOK, &[]),
    ("manual", 1, MANUAL, &["instructions"]),
    ("parallel_map", 2, PARALLEL_MAP, &[]),
    ("parse_csv", 1, CSV, &[]),
    ("query", 1, QUERY, &["sql", "target"]),
    ("random_password", 0, PASSWORD, &[]),
    ("retry", 2, RETRY, &["on"]),
    ("wait_until", 2, WAIT, &[]),
];

/// The options of a function, or those in the map that one of them takes.
pub(crate) fn options(function: &str, nested: &[&str]) -> Vec<FunctionOption> {
    let assume = ("assume", 1, ASSUME, [].as_slice());
    let all = WITH_OPTIONS.iter().chain([&assume]);
    let Some((_, _, mut known, mut needed)) = all.copied().find(|(name, ..)| *name == function)
    else {
        return Vec::new();
    };
    for step in nested {
        match known.iter().find(|(name, _)| name == step) {
            Some((_, Nested(inner))) => (known, needed) = (*inner, &[]),
            _ => return Vec::new(),
        }
    }
    let option = |(name, takes): &(&'static str, Takes)| FunctionOption {
        name,
        required: needed.contains(name),
        choices: if let One(choices) = takes { choices } else { &[] },
    };
    known.iter().map(option).collect()
}

/// Names of every function that is not the program's own.
fn known() -> &'static BTreeSet<String> {
    static KNOWN: OnceLock<BTreeSet<String>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let Ok(engine) = engine::engine() else { return BTreeSet::new() };
        let mut names: BTreeSet<String> = engine
            .collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true)
            .into_iter()
            .collect();
        // What Rhai does without a function.
        for word in
            ["call", "curry", "type_of", "is_shared", "is_def_var", "is_def_fn", "print", "debug"]
        {
            names.insert(word.to_owned());
        }
        names
    })
}

/// Whether a function or method of this name is there without the program.
pub(super) fn is_known(name: &str) -> bool {
    known().contains(name) || !name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names that people write.
pub(super) fn names<'a>() -> impl Iterator<Item = &'a str> {
    let is_word = |name: &&str| name.starts_with(|first: char| first.is_ascii_alphabetic());
    known().iter().map(String::as_str).filter(is_word).filter(|name| !name.contains('$'))
}

/// Names of members that answers of the prelude's functions have.
pub(super) fn answered() -> impl Iterator<Item = &'static str> {
    ANSWERED.into_iter()
}

impl Inference<'_> {
    /// A call of a function of the prelude or of Rhai.
    pub(super) fn native(&mut self, name: &str, arguments: &[Ty], spot: Spot) -> Ty {
        let options = WITH_OPTIONS.iter().find(|(known, ..)| *known == name);
        if let Some((owner, index, known, required)) = options
            && let Some(given) = arguments.get(*index)
        {
            self.options(owner, known, required, given, spot);
        }
        match (name, arguments) {
            ("aws", [alias, id @ ..]) => {
                self.account_used(alias, id.first());
                Ty::Account
            }
            ("call_runbook", [runbook, rest @ ..]) => {
                self.call_runbook(runbook, rest.first(), rest.get(1), spot);
                Ty::any_map()
            }
            ("parallel", [branches]) => self.parallel(branches),
            ("parallel_map", [list, branch, options @ ..]) => {
                self.parallel_map(list, branch, options.first(), spot.file)
            }
            ("step", [_, body]) => self.called(body, Some(&[])),
            ("retry", [_, call, _]) => self.called(call, Some(&[])),
            ("wait_until", [_, call, options]) => {
                let answer = self.called(call, Some(&[]));
                self.wait(&answer, options, "wait_until", spot);
                answer
            }
            ("undo", [calls]) => {
                self.called(calls, Some(&[]));
                Ty::Unit
            }
            ("approve" | "manual", _) => self.gate(name, arguments, spot),
            ("query", [_, options]) => query_answer(options, spot.file),
            ("fail", _) => {
                self.end_here();
                Ty::Never
            }
            ("asset", [path]) => {
                self.file_named("file", path);
                Ty::TEXT
            }
            ("render", [path, values]) => {
                self.file_named("template", path);
                self.template(path, values);
                Ty::TEXT
            }
            ("now" | "uuid" | "anchor", _) => Ty::TEXT,
            (
                "note" | "lock" | "output" | "artifact" | "ensure" | "sleep" | "sleep_until"
                | "runbook",
                _,
            ) => Ty::Unit,
            ("type_of", [value]) => match value {
                // What is caught may be a text that was thrown.
                Ty::Map(record) if !record.is_given => Ty::constant("map".into(), spot),
                Ty::List(..) => Ty::constant("array".into(), spot),
                Ty::Scalar(Kind::Text, _) => Ty::constant("string".into(), spot),
                _ => Ty::TEXT,
            },
            ("len", _) => Ty::INT,
            _ => {
                self.give_away(arguments);
                Ty::Any
            }
        }
    }

    /// Closures that something unknown gets may be called, with anything.
    pub(super) fn give_away(&mut self, arguments: &[Ty]) {
        for argument in arguments {
            for one in argument.alternatives() {
                if let Ty::Closure(closure) = one {
                    self.call_closure(closure, None);
                }
            }
        }
    }

    /// What a closure answers, when the value is one.
    pub(super) fn called(&mut self, closure: &Ty, arguments: Option<&[Ty]>) -> Ty {
        let all = closure.alternatives().iter().map(|one| match one {
            Ty::Closure(closure) => self.call_closure(closure, arguments.map(<[Ty]>::to_vec)),
            _ => Ty::Any,
        });
        let all: Vec<Ty> = all.collect();
        Ty::any_of(all)
    }

    /// An alias that came here by whatever way, and the account that is meant of several.
    fn account_used(&mut self, alias: &Ty, id: Option<&Ty>) {
        for literal in alias.alternatives().iter().filter_map(Ty::literal) {
            let declaration = &self.tree.compiled.declaration;
            let Some(alias) = literal.value.as_str() else { continue };
            if let Some(problem) = declaration.misused(alias, id.is_some()) {
                self.report(literal.spot, problem);
            }
        }
        for literal in id.map_or(&[][..], Ty::alternatives).iter().filter_map(Ty::literal) {
            let text = literal.value.as_str().unwrap_or_default();
            if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!("`{}` is no account id", shown(&literal.value));
                let diagnostic = Diagnostic::error(Code::BadArgument, message);
                self.report(literal.spot, diagnostic.hint("twelve digits: \"111122223333\""));
            }
        }
    }

    /// What branches answer, by their names.
    fn parallel(&mut self, branches: &Ty) -> Ty {
        let Ty::Map(branches) = branches else {
            self.give_away(std::slice::from_ref(branches));
            return Ty::Any;
        };
        let mut answers =
            Record { rest: branches.rest.clone().map(|_| Ty::Any), ..Record::default() };
        for (name, Field { ty, spot }) in &branches.members {
            let answer = Field { ty: self.called(ty, Some(&[])), spot: *spot };
            answers.members.insert(name.clone(), answer);
        }
        Ty::map(answers)
    }

    /// A list of what the branch answers for each item; with `tolerate`, of how each came out.
    fn parallel_map(&mut self, list: &Ty, branch: &Ty, options: Option<&Ty>, file: usize) -> Ty {
        let item = match list.element() {
            Ty::Never => Ty::Any,
            item => item,
        };
        let answer = self.called(branch, Some(&[item.clone(), Ty::INT]));
        let tolerates = match options {
            None => Some(false),
            Some(Ty::Map(record)) if record.rest.is_none() => {
                Some(record.get("tolerate").is_some_and(|ty| ty != Ty::Unit))
            }
            Some(_) => None,
        };
        let row = [
            ("index", Ty::INT),
            ("item", item),
            ("ok", Ty::BOOL),
            ("value", answer.clone().or(Ty::Unit)),
            ("error", Ty::Any),
            ("state", Ty::TEXT),
        ];
        match tolerates {
            Some(true) => Ty::list(Ty::map(Record::given(row, file))),
            Some(false) => Ty::list(answer),
            None => Ty::list(Ty::Any),
        }
    }

    fn gate(&mut self, name: &str, arguments: &[Ty], spot: Spot) -> Ty {
        let given = arguments.get(1);
        let lacks = |option: &str| match given {
            None => true,
            Some(Ty::Map(record)) => record.get(option).is_none_or(|ty| ty == Ty::Unit),
            Some(_) => false,
        };
        if lacks("expires") || lacks("on_expire") {
            let message = match lacks("expires") {
                true => {
                    format!("this `{name}` waits for ever: nothing happens when nobody decides")
                }
                false => format!("this `{name}` expires and does not say what happens then"),
            };
            self.report(
                spot,
                Diagnostic::warning(Code::GateWithoutExpiry, message)
                    .hint("expires: \"14d\", on_expire: \"reject\""),
            );
        }
        if let Some(Ty::Map(record)) = given
            && let Some(Ty::Map(rule)) = record.get("settled_by")
            && let Some(call) = rule.get("call")
        {
            let answer = self.called(&call, Some(&[]));
            self.wait(&answer, &Ty::Map(rule), "settled_by", spot);
        }
        let form = match given {
            None => Ty::Unit,
            Some(Ty::Map(record)) => record.get("form").unwrap_or(Ty::Unit),
            Some(_) => Ty::Any,
        };
        gate_answer(&form, spot.file)
    }

    fn file_named(&mut self, what: &str, path: &Ty) {
        let Some(literal) = path.literal() else { return };
        let Some(wanted) = literal.value.as_str() else { return };
        if self.tree.compiled.file(wanted).is_some() {
            return;
        }
        let message = format!("the runbook's folder has no {what} `{wanted}`");
        let diagnostic = Diagnostic::error(Code::ModuleNotFound, message);
        let known = self.tree.compiled.other_files().map(|file| file.path.as_str());
        let diagnostic = match suggest::nearest(wanted, known) {
            Some(near) => diagnostic.hint(format!("did you mean \"{near}\"?")),
            None => diagnostic,
        };
        self.report(literal.spot, diagnostic);
    }

    // --- options ----------------------------------------------------------------------------------

    /// The options of `account.assume(role, #{ ... })`.
    pub(super) fn assume_options(&mut self, given: &Ty, spot: Spot) {
        self.options("assume", ASSUME, &[], given, spot);
    }

    fn options(
        &mut self,
        owner: &str,
        known: &[(&str, Takes)],
        required: &[&str],
        given: &Ty,
        spot: Spot,
    ) {
        for one in given.alternatives() {
            let Ty::Map(record) = one else { continue };
            for (name, field) in &record.members {
                match known.iter().find(|(option, _)| option == name) {
                    Some((option, takes)) => {
                        self.option(owner, option, *takes, &field.ty, field.spot);
                    }
                    None => {
                        let message = format!("`{owner}` has no option `{name}`");
                        let options = || known.iter().map(|(option, _)| *option);
                        let hint = suggest::nearest(name, options()).map_or_else(
                            || format!("options: {}", options().collect::<Vec<_>>().join(", ")),
                            |near| format!("did you mean `{near}`?"),
                        );
                        let diagnostic = Diagnostic::error(Code::BadArgument, message).hint(hint);
                        self.report(field.spot, diagnostic);
                    }
                }
            }
            if record.rest.is_some() {
                continue;
            }
            for needed in required {
                if record.get(needed).is_none_or(|ty| ty == Ty::Unit) {
                    let message = format!("`{owner}` needs the option `{needed}`");
                    self.report(spot, Diagnostic::error(Code::BadArgument, message));
                }
            }
        }
    }

    fn option(&mut self, owner: &str, option: &str, takes: Takes, given: &Ty, called: Spot) {
        for one in given.alternatives() {
            let literal = one.literal();
            let spot = literal.map_or(called, |literal| literal.spot);
            let problem = match takes {
                Anything => None,
                Nested(known) => {
                    self.options(option, known, &[], one, called);
                    mistyped(one, |ty| matches!(ty, Ty::Map(_)), "a map")
                }
                Map => mistyped(one, |ty| matches!(ty, Ty::Map(_)), "a map"),
                Takes::Closure => {
                    mistyped(one, |ty| matches!(ty, Ty::Closure(_)), "a closure (|| ...)")
                }
                Text => mistyped(one, is_text, "a text"),
                Bool => {
                    mistyped(one, |ty| matches!(ty, Ty::Scalar(Kind::Bool, _)), "true or false")
                }
                Takes::Span => mistyped(one, is_text, "a text").or_else(|| {
                    let problem = Span::from_str(one.literal_text()?).err()?;
                    Some(format!("is no length of time: {problem}"))
                }),
                Whole(least, most) => literal.and_then(|literal| {
                    let number = literal.value.as_i64();
                    let fits = number.is_some_and(|number| (least..=most).contains(&number));
                    (!fits).then(|| format!("is a whole number from {least} to {most}"))
                }),
                One(choices) => literal.and_then(|literal| {
                    let fits = literal.value.as_str().is_some_and(|text| choices.contains(&text));
                    let quoted: Vec<String> =
                        choices.iter().map(|choice| format!("\"{choice}\"")).collect();
                    (!fits).then(|| format!("is one of {}", quoted.join(", ")))
                }),
            };
            if let Some(problem) = problem {
                let message = format!("the option `{option}` of `{owner}` {problem}");
                let diagnostic = Diagnostic::error(Code::BadArgument, message);
                let near = match (takes, one.literal_text()) {
                    (One(choices), Some(text)) => suggest::nearest(text, choices.iter().copied()),
                    _ => None,
                };
                self.report(
                    spot,
                    match near {
                        Some(near) => diagnostic.hint(format!("did you mean \"{near}\"?")),
                        None => diagnostic,
                    },
                );
            }
        }
    }
}

fn is_text(ty: &Ty) -> bool {
    matches!(ty, Ty::Scalar(Kind::Text, _) | Ty::Choice(_))
}

/// What is wrong with the type of an option, where it is known.
fn mistyped(given: &Ty, fits: impl Fn(&Ty) -> bool, wanted: &str) -> Option<String> {
    let is_open = matches!(given, Ty::Any | Ty::Never | Ty::Unit | Ty::Shape(_) | Ty::Params);
    (!is_open && !fits(given)).then(|| format!("takes {wanted}, found {}", given.described()))
}

/// What a gate answers: the decision, with a field for each member of the form.
fn gate_answer(form: &Ty, file: usize) -> Ty {
    let fields = match form {
        Ty::Map(form) if form.rest.is_none() => {
            let fields = form.members.keys().map(|name| (name.as_str(), Ty::Any));
            Ty::map(Record::given(fields, file)).or(Ty::Unit)
        }
        _ => Ty::Any,
    };
    let optional = || Ty::TEXT.or(Ty::Unit);
    let members = [
        ("decision", Ty::TEXT),
        ("by", optional()),
        ("alias", optional()),
        ("comment", optional()),
        ("fields", fields),
        ("evidence", Ty::Any),
        ("at", Ty::TEXT),
        ("settled", Ty::BOOL),
        ("state", Ty::Any),
        ("value", Ty::Any),
    ];
    Ty::map(Record::given(members, file))
}

/// What `query` answers: rows have the columns of the statement, where those are plainly written.
fn query_answer(options: &Ty, file: usize) -> Ty {
    let sql = match options {
        Ty::Map(record) => record.get("sql"),
        _ => None,
    };
    let names = sql.as_ref().and_then(Ty::literal_text).and_then(columns);
    let row = names.map_or(Ty::Any, |names| {
        let cells = names.iter().map(|name| (name.as_str(), Ty::Any));
        Ty::map(Record::given(cells, file))
    });
    let members = [
        ("statement_id", Ty::Any),
        ("columns", Ty::Any),
        ("rows", Ty::list(row)),
        ("row_count", Ty::INT),
        ("digest", Ty::Any),
        ("location", Ty::TEXT.or(Ty::Unit)),
    ];
    Ty::map(Record::given(members, file))
}

/// A constant of a choice.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
