//! Slips of the fingers: members that nothing gives and values that stand alone, one slip away from
//! what the program, the language or AWS has.
//!
//! No values are followed here, so that a slip is seen where `infer` knows nothing. What `infer` has
//! looked at is left to it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::Model;
use rhai::{Expr, Stmt};

use super::tree::{Link, Tree, chain};
use super::ty::Spot;
use super::{caught, natives};
use crate::bound;
use crate::rules::{Node, walk_statement};

/// A name that nothing gives is a slip as long as it is not read more often than that.
const MOST_READS: usize = 2;
/// Names that are compared with all others.
const MOST_COMPARED: usize = 1_000;
/// Shorter words are near too many others.
const SHORTEST_VALUE: usize = 4;
const SHORTEST_CODE: usize = 6;

/// The codes of the engine's own errors.
const OWN_CODES: [&str; 5] = ["Cancelled", "Expired", "GaveUp", "Rejected", "WaitFailed"];

/// The words of a program.
#[derive(Default)]
struct Words {
    /// Names that the program gives: members of maps, parameters, aliases, paths.
    given: BTreeSet<String>,
    /// Every word of its texts.
    said: BTreeSet<String>,
    /// Members that are read.
    read: BTreeMap<String, Vec<Spot>>,
    /// Texts that are one word.
    texts: BTreeMap<String, Vec<Spot>>,
    /// Places in the runbook's declaration.
    declared: BTreeSet<Spot>,
}

/// Every slip. `seen` are the places that were looked at already.
pub(super) fn check(tree: &Tree<'_>, seen: &BTreeSet<Spot>) -> Vec<(Spot, Diagnostic)> {
    let words = Words::of(tree);
    let models = words.models();
    let mut problems = members(&words, &models, seen);
    problems.extend(values(&words, &models, seen));
    problems
}

impl Words {
    fn of(tree: &Tree<'_>) -> Self {
        let mut words = Self::default();
        for file in 0..tree.files.len() {
            let mut assigned = BTreeSet::new();
            tree.visit(file, &mut |node| words.see(file, node, &mut assigned));
            for spots in words.read.values_mut() {
                spots.retain(|spot| !assigned.contains(spot));
            }
        }
        let declaration = &tree.compiled.declaration;
        words.given.extend(declaration.params.iter().map(|param| param.name.clone()));
        words.given.extend(declaration.accounts.iter().map(|account| account.alias.clone()));
        for statement in tree.files.first().map_or(&[][..], |file| file.statements) {
            if is_declaration(statement) {
                walk_statement(statement, &mut |node| {
                    if let Node::Expression(Expr::StringConstant(_, position)) = node {
                        words.declared.insert(Spot { file: 0, position: *position });
                    }
                });
            }
        }
        words
    }

    fn see(&mut self, file: usize, node: Node<'_>, assigned: &mut BTreeSet<Spot>) {
        match node {
            Node::Statement(Stmt::Assignment(assignment)) => {
                if let Some(Link::Property(name, position)) = chain(&assignment.1.lhs).1.last() {
                    self.given.insert((*name).to_owned());
                    assigned.insert(Spot { file, position: *position });
                }
            }
            Node::Expression(Expr::Property(property, position)) => {
                let spot = Spot { file, position: *position };
                self.read.entry(property.2.to_string()).or_default().push(spot);
            }
            Node::Expression(Expr::Map(map, _)) => {
                self.given.extend(map.0.iter().map(|(name, _)| name.name.to_string()));
            }
            Node::Expression(Expr::StringConstant(text, position)) => {
                let is_part = |c: char| c.is_alphanumeric() || c == '_';
                self.said.extend(text.split(|c| !is_part(c)).map(str::to_owned));
                if !text.is_empty() && text.chars().all(|c| is_part(c) || c == '.') {
                    self.given.extend(text.split('.').map(str::to_owned));
                    let spot = Spot { file, position: *position };
                    self.texts.entry(text.to_string()).or_default().push(spot);
                }
            }
            _ => {}
        }
    }

    /// The models of the services that the program names.
    fn models(&self) -> Vec<&'static Model> {
        let named =
            |service: &&str| self.read.contains_key(*service) || self.given.contains(*service);
        bound::services().filter(named).filter_map(piton_models::service).collect()
    }
}

fn is_declaration(statement: &Stmt) -> bool {
    let call = match statement {
        Stmt::FnCall(call, _) => Some(call),
        Stmt::Expr(expression) => match &**expression {
            Expr::FnCall(call, _) => Some(call),
            _ => None,
        },
        _ => None,
    };
    call.is_some_and(|call| call.name == "runbook" && !call.is_qualified())
}

/// Members that are read and that nothing gives.
fn members(
    words: &Words,
    models: &[&'static Model],
    seen: &BTreeSet<Spot>,
) -> Vec<(Spot, Diagnostic)> {
    let of_language: Vec<&str> = caught::names().chain(natives::answered()).collect();
    let is_open = |name: &str, spots: &[Spot]| {
        !words.given.contains(name)
            && !words.said.contains(name)
            && spots.len() <= MOST_READS
            && spots.iter().any(|spot| !seen.contains(spot))
            && !of_language.contains(&name)
    };
    let open: Vec<_> = words.read.iter().filter(|(name, spots)| is_open(name, spots)).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let of_aws: HashSet<&str> = models
        .iter()
        .flat_map(|model| model.shapes.values())
        .flat_map(|shape| shape.members.0.iter().map(|(name, _)| name.as_str()))
        .collect();
    let mut problems = Vec::new();
    let open = open.iter().filter(|(name, _)| !of_aws.contains(name.as_str()));
    for (name, spots) in open.take(MOST_COMPARED) {
        let is_meant = |known: &str| is_slip(name, known);
        // Of two names that are read alone, neither is more likely to be the right one.
        let more_often = words.read.iter().filter(|(_, others)| others.len() > spots.len());
        let near = words
            .given
            .iter()
            .map(String::as_str)
            .chain(of_language.iter().copied())
            .chain(more_often.map(|(name, _)| name.as_str()))
            .find(|known| is_meant(known))
            .or_else(|| of_aws.iter().copied().filter(|known| is_meant(known)).min());
        let Some(near) = near else { continue };
        let message = format!("nothing gives the member `{name}`, and `{near}` is one slip away");
        let diagnostic = Diagnostic::warning(Code::Misspelt, message)
            .hint(format!("did you mean `{near}`?"))
            .hint(format!("a member that comes from outside: .get(\"{name}\")"));
        let spots = spots.iter().filter(|spot| !seen.contains(spot));
        problems.extend(spots.map(|spot| (*spot, diagnostic.clone())));
    }
    problems
}

/// Values of enumerations and error codes that stand in one place and are nearly another.
fn values(
    words: &Words,
    models: &[&'static Model],
    seen: &BTreeSet<Spot>,
) -> Vec<(Spot, Diagnostic)> {
    let alone = words.texts.iter().filter_map(|(text, spots)| match spots.as_slice() {
        [spot] if !seen.contains(spot) && !words.declared.contains(spot) => Some((text, *spot)),
        _ => None,
    });
    let alone: Vec<(&String, Spot)> =
        alone.filter(|(text, _)| is_shout(text) || is_code(text)).collect();
    if alone.is_empty() {
        return Vec::new();
    }
    let shapes = || models.iter().flat_map(|model| &model.shapes);
    let of_aws: HashSet<&str> =
        shapes().flat_map(|(_, shape)| shape.enumeration.iter().map(String::as_str)).collect();
    let errors = shapes().filter(|(_, shape)| shape.exception).map(|(name, shape)| {
        shape.error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or(name)
    });
    let codes: HashSet<&str> = errors.chain(OWN_CODES).collect();
    let own: Vec<&str> =
        words.texts.keys().map(String::as_str).filter(|text| is_shout(text)).collect();
    let mut problems = Vec::new();
    for (text, spot) in alone.into_iter().take(MOST_COMPARED) {
        if of_aws.contains(text.as_str()) || codes.contains(text.as_str()) {
            continue;
        }
        let known = if is_shout(text) { &of_aws } else { &codes };
        let own = own.iter().copied().filter(|_| is_shout(text));
        let near = known.iter().copied().chain(own).filter(|known| is_slip(text, known)).min();
        let Some(near) = near else { continue };
        let message = format!("`{text}` stands here alone, and `{near}` is one slip away");
        let diagnostic = Diagnostic::warning(Code::Misspelt, message);
        problems.push((spot, diagnostic.hint(format!("did you mean \"{near}\"?"))));
    }
    problems
}

/// A text as AWS writes most values of enumerations.
fn is_shout(text: &str) -> bool {
    text.len() >= SHORTEST_VALUE
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// A text as AWS writes error codes.
fn is_code(text: &str) -> bool {
    text.len() >= SHORTEST_CODE
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        && text.chars().any(|c| c.is_ascii_lowercase())
}

/// Whether one word is the other with one slip of the fingers: neighbours swapped, a letter left out,
/// doubled or hit wrong, another case. Endings are left alone: `name` and `names`, `CREATE` and
/// `CREATED` are two words.
pub(super) fn is_slip(word: &str, meant: &str) -> bool {
    let (left, right) = (word.as_bytes(), meant.as_bytes());
    if word == meant || !word.is_ascii() || !meant.is_ascii() || left.first() != right.first() {
        return false;
    }
    match left.len().abs_diff(right.len()) {
        0 => is_slip_of_equals(left, right),
        1 => {
            let (short, long) =
                if left.len() < right.len() { (left, right) } else { (right, left) };
            let at = short.iter().zip(long).take_while(|(one, other)| one == other).count();
            short.len() >= 5 && at < short.len() && short[at..] == long[at + 1..]
        }
        _ => false,
    }
}

fn is_slip_of_equals(left: &[u8], right: &[u8]) -> bool {
    let differs = |index: &usize| left[*index] != right[*index];
    let (Some(first), Some(last)) =
        ((0..left.len()).find(differs), (0..left.len()).rev().find(differs))
    else {
        return false;
    };
    let is_case = left.len() >= 4 && left.eq_ignore_ascii_case(right);
    let is_one = first == last && left.len() >= 6 && last + 1 < left.len();
    let is_swap = last == first + 1 && left[first] == right[last] && left[last] == right[first];
    is_case || is_one || is_swap
}

#[cfg(test)]
mod tests {
    use super::is_slip;

    #[test]
    fn slips_are_told_from_other_words() {
        for (word, meant) in [
            ("dmoain", "domain"),
            ("kye", "key"),
            ("reviwerId", "reviewerId"),
            ("tableeName", "tableName"),
            ("rootDomainid", "rootDomainId"),
            ("columnNane", "columnName"),
            ("GRNATED", "GRANTED"),
        ] {
            assert!(is_slip(word, meant), "{word}");
        }
        for (word, other) in [
            ("name", "name"),
            ("name", "names"),
            ("CREATED", "CREATE"),
            ("date", "data"),
            ("rule1", "rule2"),
            ("min", "max"),
            ("Arn", "arn"),
            ("userName", "UserName"),
            ("type", "tape"),
        ] {
            assert!(!is_slip(word, other), "{word} {other}");
        }
    }
}
