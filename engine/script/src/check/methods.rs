//! Methods: operations of clients, derived accounts, and what Rhai and the prelude have for lists,
//! maps and texts.

use std::rc::Rc;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::suggest;
use rhai::FnCallExpr;

use super::expr::{Missing, Read};
use super::infer::{Inference, undefined};
use super::ty::{Choices, Field, Kind, Record, Spot, Ty};
use crate::bound;
use crate::declaration::ParamType;
use crate::prelude::params;

/// What a method answers, and what becomes of what it was called on.
pub(super) struct Answer {
    pub(super) value: Ty,
    /// The receiver after the call, when the call changes it.
    pub(super) receiver: Option<Ty>,
}

impl Answer {
    fn of(value: Ty) -> Self {
        Self { value, receiver: None }
    }
}

/// Methods that change a text in its place.
const CHANGE_TEXT: [&str; 13] = [
    "append",
    "clear",
    "crop",
    "make_lower",
    "make_upper",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "set",
    "trim",
    "truncate",
];
/// Methods that change a list or a map in its place, to something that is not followed.
const CHANGE_MUCH: [&str; 9] =
    ["append", "fill_with", "insert", "mixin", "pad", "remove", "set", "splice", "drain"];

/// Methods of a list that leave it as long as it is.
const KEEP_COUNT: [&str; 17] = [
    "all",
    "contains",
    "extract",
    "filter",
    "find",
    "find_map",
    "get",
    "index_of",
    "is_empty",
    "len",
    "map",
    "order",
    "reduce",
    "reduce_rev",
    "reverse",
    "some",
    "sort",
];

const ACCOUNT_METHODS: [&str; 7] =
    ["assume", "environment", "identity", "region", "service", "to_string", "to_debug"];

impl Inference<'_> {
    pub(super) fn method(
        &mut self,
        of: &Ty,
        call: &FnCallExpr,
        arguments: &[Ty],
        spot: Spot,
    ) -> Answer {
        let name = call.name.as_str();
        let own = self.tree.files[self.file()].functions.get(&(name.to_owned(), arguments.len()));
        let is_client = of.alternatives().iter().any(|one| matches!(one, Ty::Client(_)));
        if let (Some(own), false) = (own, is_client) {
            // Rhai calls the script's own function, with `this`.
            let value = self.follow(*own, arguments.to_vec(), Some(spot));
            return Answer { value, receiver: Some(Ty::Any) };
        }
        self.unknown_method(of, name, spot);
        let mut value = Ty::Never;
        let mut receiver: Option<Ty> = None;
        for one in of.alternatives() {
            let answer = self.method_of(one, name, arguments, spot);
            value = value.or(answer.value);
            receiver = match (receiver, answer.receiver) {
                (Some(known), Some(further)) => Some(known.or(further)),
                (Some(known), None) => Some(known.or(one.clone())),
                (known, further) => known.or(further),
            };
        }
        Answer { value, receiver }
    }

    fn method_of(&mut self, of: &Ty, name: &str, arguments: &[Ty], spot: Spot) -> Answer {
        match of {
            Ty::Client(service) => Answer::of(self.operation(service, name, arguments, spot)),
            Ty::Account => Answer::of(self.account_method(name, arguments, spot)),
            Ty::Params => Answer::of(self.params_method(name, arguments)),
            Ty::Closure(_) if name == "call" => Answer::of(self.called(of, Some(arguments))),
            Ty::List(..) => {
                let Answer { value, receiver } = self.list_method(of, name, arguments);
                let is_kept = KEEP_COUNT.contains(&name);
                let receiver = receiver.or_else(|| (!is_kept).then(|| of.uncounted()));
                Answer { value, receiver }
            }
            Ty::Map(record) => self.map_method(record, name, arguments),
            Ty::Shape(_) if of.enumeration().is_none() => self.shape_method(of, name, arguments),
            Ty::Scalar(Kind::Text, _) | Ty::Shape(_) | Ty::Choice(_) => text_method(name),
            Ty::Any => Answer::of(self.method_of_any(name, arguments, spot)),
            _ => {
                self.give_away(arguments);
                Answer { value: Ty::Any, receiver: None }
            }
        }
    }

    /// A name that nothing has: no operation, no function, no member that could be a closure.
    fn unknown_method(&mut self, of: &Ty, name: &str, spot: Spot) {
        let may_be_anything = of
            .alternatives()
            .iter()
            .all(|one| matches!(one, Ty::Client(_) | Ty::Account | Ty::Never));
        if may_be_anything || super::natives::is_known(name) || self.tree.written.contains_key(name)
        {
            return;
        }
        let file = &self.tree.files[self.file()];
        if !file.arities(name).is_empty()
            || self
                .tree
                .services
                .iter()
                .copied()
                .chain(bound::services())
                .any(|service| bound::has_operation(service, name))
        {
            return;
        }
        let diagnostic = undefined(format!("there is no method `{name}`"));
        let near = suggest::nearest(name, super::natives::names());
        self.report(
            spot,
            match near {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                None => diagnostic,
            },
        );
    }

    fn method_of_any(&mut self, name: &str, arguments: &[Ty], spot: Spot) -> Ty {
        if !super::natives::is_known(name)
            && arguments.len() <= 1
            && let Some(service) = self.only_service_with(name)
        {
            return self.operation(service, name, arguments, spot);
        }
        self.give_away(arguments);
        match name {
            "len" => Ty::INT,
            "contains" | "is_empty" | "starts_with" | "ends_with" => Ty::BOOL,
            "keys" => Ty::list(Ty::TEXT),
            _ => Ty::Any,
        }
    }

    fn account_method(&mut self, name: &str, arguments: &[Ty], spot: Spot) -> Ty {
        match (name, arguments) {
            ("region" | "environment", _) => Ty::Account,
            ("assume", _) => {
                if let Some(options) = arguments.get(1) {
                    self.assume_options(options, spot);
                }
                Ty::Account
            }
            ("identity", _) => {
                let members = ["account", "arn", "region"].map(|name| (name, Ty::TEXT));
                Ty::map(Record::given(members, spot.file))
            }
            ("to_string" | "to_debug", _) => Ty::TEXT,
            ("service", [service]) => {
                let literal = service.literal();
                let named =
                    literal.and_then(|literal| Some((literal.value.as_str()?, literal.spot)));
                named.and_then(|(name, spot)| self.client(name, spot)).unwrap_or(Ty::Any)
            }
            ("service", _) => Ty::Any,
            _ if super::natives::is_known(name) => Ty::Any,
            _ => {
                let message = format!("an account has no method `{name}`");
                let diagnostic = undefined(message);
                let elsewhere = self.only_service_with(name);
                let near = suggest::nearest(name, ACCOUNT_METHODS);
                self.report(
                    spot,
                    match (near, elsewhere) {
                        (Some(near), _) => diagnostic.hint(format!("did you mean `{near}`?")),
                        (None, Some(service)) => diagnostic
                            .hint(format!("it is an operation: .{service}.{name}(#{{ ... }})")),
                        (None, None) => diagnostic,
                    },
                );
                Ty::Any
            }
        }
    }

    // --- parameters -------------------------------------------------------------------------------

    fn params_method(&mut self, name: &str, arguments: &[Ty]) -> Ty {
        let literal = arguments.first().and_then(Ty::literal);
        let wanted = literal.and_then(|literal| Some((literal.value.as_str()?, literal.spot)));
        match (name, wanted) {
            ("get" | "contains", Some((wanted, spot))) => {
                let found = match self.param(wanted, spot) {
                    Read::Found(ty) | Read::Possible(ty) => ty,
                    Read::Missing(missing) => {
                        self.report(missing.spot, missing.diagnostic);
                        Ty::Any
                    }
                    Read::Unknown | Read::Nothing => Ty::Any,
                };
                match (name, arguments.get(1)) {
                    ("contains", _) => Ty::BOOL,
                    (_, Some(preset)) => found.or(preset.clone()),
                    (_, None) => found,
                }
            }
            _ => {
                self.params_read = None;
                if name == "keys" { Ty::list(Ty::TEXT) } else { Ty::Any }
            }
        }
    }

    /// A parameter of the runbook.
    pub(super) fn param(&mut self, name: &str, spot: Spot) -> Read {
        let declaration = &self.tree.compiled.declaration;
        let Some(spec) = declaration.param(name) else {
            let known = declaration.params.iter().map(|param| param.name.as_str());
            let diagnostic = params::unknown_parameter(name, known);
            return Read::Missing(Missing::at(spot, diagnostic));
        };
        if let Some(read) = &mut self.params_read {
            read.insert(name.to_owned());
        }
        let ty = match spec.kind {
            ParamType::String | ParamType::AccountId | ParamType::Region | ParamType::Arn => {
                Ty::TEXT
            }
            ParamType::Int => Ty::INT,
            ParamType::Float => Ty::Scalar(Kind::Float, None),
            ParamType::Bool => Ty::BOOL,
            ParamType::Enum => Ty::Choice(Rc::new(Choices {
                param: name.to_owned(),
                values: spec.choices.clone(),
            })),
            ParamType::List => Ty::list(Ty::Any),
            ParamType::Map => Ty::any_map(),
            ParamType::Secret => Ty::Any,
        };
        Read::Found(if spec.optional { ty.or(Ty::Unit) } else { ty })
    }

    // --- lists and maps ---------------------------------------------------------------------------

    fn list_method(&mut self, of: &Ty, name: &str, arguments: &[Ty]) -> Answer {
        let item = of.element();
        let known = if item == Ty::Never { Ty::Any } else { item.clone() };
        let each = |inference: &mut Self| {
            arguments.first().map_or(Ty::Any, |closure| {
                inference.called(closure, Some(&[known.clone(), Ty::INT]))
            })
        };
        match name {
            "push" => {
                let pushed = arguments.first().cloned().unwrap_or(Ty::Any);
                Answer { value: Ty::Unit, receiver: Some(Ty::list(item.or(pushed))) }
            }
            "+=" | "append" => {
                let added = arguments.first().map_or(Ty::Any, Ty::element);
                Answer { value: Ty::Unit, receiver: Some(Ty::list(item.or(added))) }
            }
            "map" => Answer::of(Ty::list(each(self))),
            "find_map" => Answer::of(each(self)),
            "filter" => {
                each(self);
                Answer::of(of.uncounted())
            }
            "find" => {
                each(self);
                Answer::of(item.or(Ty::Unit))
            }
            "all" | "some" => {
                each(self);
                Answer::of(Ty::BOOL)
            }
            "for_each" => {
                each(self);
                Answer { value: Ty::Unit, receiver: Some(Ty::list(Ty::Any)) }
            }
            "retain" | "drain" | "index_of" | "dedup" => {
                each(self);
                Answer::of(if name == "index_of" { Ty::INT } else { of.uncounted() })
            }
            "sort" | "order" => {
                if let Some(closure) = arguments.first() {
                    self.called(closure, Some(&[known.clone(), known]));
                }
                Answer::of(of.clone())
            }
            "pop" | "shift" | "remove" => Answer::of(item.or(Ty::Unit)),
            "contains" => {
                if let Some(wanted) = arguments.first() {
                    self.contains(of, wanted);
                }
                Answer::of(Ty::BOOL)
            }
            "len" => Answer::of(Ty::INT),
            "is_empty" => Answer::of(Ty::BOOL),
            "extract" | "reverse" | "split" | "truncate" | "chop" | "clear" => {
                Answer::of(of.uncounted())
            }
            _ => {
                self.give_away(arguments);
                let receiver = CHANGE_MUCH.contains(&name).then(|| Ty::list(Ty::Any));
                Answer { value: Ty::Any, receiver }
            }
        }
    }

    fn map_method(&mut self, record: &Record, name: &str, arguments: &[Ty]) -> Answer {
        let literal = arguments.first().and_then(Ty::literal);
        let wanted = literal.and_then(|literal| Some((literal.value.as_str()?, literal.spot)));
        match (name, wanted) {
            ("get", Some((path, spot))) => {
                let found = self.optional_part(record, path, spot);
                Answer::of(or_preset(found, arguments.get(1)))
            }
            ("get", None) => Answer::of(record.everything().or(Ty::Any)),
            ("keys", _) => Answer::of(Ty::list(Ty::TEXT)),
            ("values", _) => Answer::of(Ty::list(record.everything())),
            ("contains", Some((key, _))) if record.get(key).is_none() => {
                let spot =
                    literal.map_or(Spot { file: 0, position: rhai::Position::NONE }, |l| l.spot);
                Answer::of(Ty::constant(false.into(), spot))
            }
            ("contains" | "is_empty", _) => Answer::of(Ty::BOOL),
            ("len", _) => Answer::of(Ty::INT),
            ("map" | "filter" | "find" | "all" | "some" | "for_each", _) => {
                let value = record.everything();
                let value = if value == Ty::Never { Ty::Any } else { value };
                if let Some(closure) = arguments.first() {
                    self.called(closure, Some(&[Ty::TEXT, value]));
                }
                Answer::of(Ty::Any)
            }
            _ => {
                self.give_away(arguments);
                let receiver = (CHANGE_MUCH.contains(&name) || name == "clear")
                    .then(|| Ty::map(Record { rest: Some(Ty::Any), ..record.clone() }));
                Answer { value: Ty::Any, receiver }
            }
        }
    }

    /// What `map.get("a.b")` finds. A member of nearly that name that nothing else reads is a slip.
    /// So is a name that is nearly a member of what the language gives.
    fn optional_part(&mut self, record: &Record, path: &str, spot: Spot) -> Ty {
        if let Some(field) = record.members.get(path) {
            self.read_well(spot);
            return field.ty.clone();
        }
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        if let Some(ty) = record.get(name) {
            self.read_well(spot);
            return if rest.is_empty() { ty } else { self.optional(&ty, rest, spot) };
        }
        if record.is_given {
            let known = record.members.keys().map(String::as_str);
            if let Some(near) = suggest::nearest(name, known) {
                let diagnostic = undefined(format!("the map never has a member `{name}`"));
                let diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
                self.report_read(spot, diagnostic, spot);
            }
            return Ty::Unit;
        }
        let unread =
            record.members.iter().filter(|(known, _)| !self.tree.read.contains_key(*known));
        let unread: Vec<(&String, &Field)> = unread.collect();
        let near = suggest::nearest(name, unread.iter().map(|(known, _)| known.as_str()));
        let slip = near.and_then(|near| unread.iter().find(|(known, _)| known.as_str() == near));
        if let Some((known, field)) = slip {
            let message = format!("nothing reads the member `{known}`, and `{name}` is looked for");
            let diagnostic = Diagnostic::warning(Code::UndefinedName, message);
            self.report(field.spot, diagnostic.hint(format!("did you mean `{name}`?")));
        }
        Ty::Unit
    }

    fn optional(&mut self, of: &Ty, path: &str, spot: Spot) -> Ty {
        let all: Vec<Ty> = of
            .alternatives()
            .iter()
            .map(|one| match one {
                Ty::Map(record) => self.optional_part(record, path, spot),
                Ty::Shape(_) => self.part(one, path, spot, None),
                Ty::Unit => Ty::Unit,
                _ => Ty::Any,
            })
            .collect();
        Ty::any_of(all)
    }

    /// A method on a part of an answer of AWS.
    fn shape_method(&mut self, of: &Ty, name: &str, arguments: &[Ty]) -> Answer {
        let item = of.element();
        if !matches!(item, Ty::Any) {
            return self.list_method(of, name, arguments);
        }
        let literal = arguments.first().and_then(Ty::literal);
        let wanted = literal.and_then(|literal| Some((literal.value.as_str()?, literal.spot)));
        match (name, wanted) {
            ("get", Some((path, spot))) => {
                let found = self.part(of, path, spot, None);
                Answer::of(or_preset(found.or(Ty::Unit), arguments.get(1)))
            }
            ("keys" | "split", _) => Answer::of(Ty::list(Ty::TEXT)),
            ("contains" | "is_empty" | "starts_with" | "ends_with", _) => Answer::of(Ty::BOOL),
            ("len", _) => Answer::of(Ty::INT),
            _ => {
                self.give_away(arguments);
                let changes = CHANGE_MUCH.contains(&name) || CHANGE_TEXT.contains(&name);
                Answer { value: Ty::Any, receiver: changes.then_some(Ty::Any) }
            }
        }
    }
}

fn text_method(name: &str) -> Answer {
    let value = match name {
        "split" | "split_rev" => Ty::list(Ty::TEXT),
        "to_upper" | "to_lower" | "sub_string" | "to_string" => Ty::TEXT,
        "len" | "index_of" | "bytes" => Ty::INT,
        "contains" | "is_empty" | "starts_with" | "ends_with" => Ty::BOOL,
        _ => Ty::Any,
    };
    Answer { value, receiver: CHANGE_TEXT.contains(&name).then_some(Ty::TEXT) }
}

fn or_preset(found: Ty, preset: Option<&Ty>) -> Ty {
    match (found, preset) {
        (found, None) => found,
        (Ty::Unit, Some(preset)) => preset.clone(),
        (found, Some(preset)) => {
            let given = found.alternatives().iter().filter(|ty| !matches!(ty, Ty::Unit));
            Ty::any_of(given.cloned().collect::<Vec<_>>()).or(preset.clone())
        }
    }
}
