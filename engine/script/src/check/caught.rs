//! What `catch (e)` gets: an error of AWS or of the engine, one of the language, or what the program
//! throws itself.

use rhai::{ASTFlags, Expr, Stmt};

use super::tree::Tree;
use super::ty::{Record, Ty};
use crate::rules::Node;

/// Members that errors of AWS and of the engine have; those of the first list are always there.
const ALWAYS: [(&str, Ty); 5] = [
    ("error", Ty::TEXT),
    ("code", Ty::TEXT),
    ("message", Ty::TEXT),
    ("retryable", Ty::BOOL),
    ("details", Ty::Any),
];
const SOMETIMES: [(&str, Ty); 6] = [
    ("branch", Ty::Any),
    ("service", Ty::TEXT),
    ("operation", Ty::TEXT),
    ("http_status", Ty::INT),
    ("request_id", Ty::TEXT),
    ("key", Ty::TEXT),
];
/// Members that Rhai gives to errors of the language.
const OF_LANGUAGE: [&str; 14] = [
    "actual",
    "function",
    "index",
    "length",
    "line",
    "module",
    "position",
    "property",
    "requested",
    "source",
    "token",
    "tokens",
    "type",
    "variable",
];

/// The variable of `catch`. Nothing is known of it in a program that throws what is not known.
pub(super) fn caught(tree: &Tree<'_>) -> Ty {
    let Some(own) = thrown(tree) else { return Ty::Any };
    let sometimes = SOMETIMES.map(|(name, ty)| (name, ty.or(Ty::Unit)));
    let of_language = OF_LANGUAGE.map(|name| (name, Ty::Any));
    let own = own.iter().map(|name| (name.as_str(), Ty::Any));
    let members = ALWAYS.into_iter().chain(sometimes).chain(of_language).chain(own);
    Ty::map(Record::given(members, 0))
}

/// Names of members that errors have.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let known = ALWAYS.iter().chain(&SOMETIMES).map(|(name, _)| *name);
    known.chain(OF_LANGUAGE)
}

/// The members of the maps that a program throws; nothing when it throws what is not known here.
fn thrown(tree: &Tree<'_>) -> Option<Vec<String>> {
    let mut members = Vec::new();
    let mut variables = Vec::new();
    let mut caught = Vec::new();
    let mut is_known = true;
    for file in 0..tree.files.len() {
        tree.visit(file, &mut |node| match node {
            Node::Statement(Stmt::TryCatch(control, _)) => {
                if let Expr::Variable(variable, ..) = &control.expr {
                    caught.push(variable.1.to_string());
                }
            }
            Node::Statement(Stmt::Return(Some(value), flags, _))
                if flags.contains(ASTFlags::BREAK) =>
            {
                match &**value {
                    Expr::Map(map, _) => {
                        members.extend(map.0.iter().map(|(name, _)| name.name.to_string()));
                    }
                    Expr::Variable(variable, ..) => variables.push(variable.1.to_string()),
                    Expr::StringConstant(..) | Expr::InterpolatedString(..) | Expr::Unit(_) => {}
                    _ => is_known = false,
                }
            }
            _ => {}
        });
    }
    // `throw e` passes on what was caught.
    let is_known = is_known && variables.iter().all(|name| caught.contains(name));
    is_known.then_some(members)
}
