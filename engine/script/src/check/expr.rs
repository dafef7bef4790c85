//! Expressions: literals, operators, members along chains, calls of the program's own functions.

use std::collections::BTreeMap;
use std::rc::Rc;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::{ShapeKind, suggest};
use rhai::{BinaryExpr, Expr, FnCallExpr, OpAssignment, Position};
use serde_json::Value;

use super::infer::{Inference, told_apart, undefined};
use super::tree::{Link, chain};
use super::ty::{Count, Field, Kind, Record, Shaped, Spot, Ty};

/// Values of many alternatives and parts are not put together.
const MOST_WAYS: usize = 20_000;
/// Longer texts are not put together.
const LONGEST_TEXT: usize = 4_096;

impl<'p> Inference<'p> {
    /// What an expression comes to.
    pub(super) fn eval(&mut self, expression: &'p Expr) -> Ty {
        if !self.step() {
            return Ty::Any;
        }
        match expression {
            Expr::Unit(_) => Ty::Unit,
            Expr::BoolConstant(value, position) => self.constant((*value).into(), *position),
            Expr::IntegerConstant(value, position) => self.constant((*value).into(), *position),
            Expr::FloatConstant(value, position) => self.constant((**value).into(), *position),
            Expr::StringConstant(text, position) => self.constant(text.as_str().into(), *position),
            Expr::CharConstant(..) => Ty::TEXT,
            Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| drop(self.eval(part)));
                Ty::TEXT
            }
            Expr::Array(items, position) => {
                let count = Count { elements: items.len(), spot: self.spot(*position) };
                let items: Vec<Ty> = items.iter().map(|item| self.eval(item)).collect();
                Ty::List(Rc::new(Ty::any_of(items)), Some(count))
            }
            Expr::Map(map, _) => self.map(&map.0),
            Expr::Variable(variable, ..) => {
                if variable.2.is_empty() {
                    self.lookup(&variable.1).unwrap_or(Ty::Any)
                } else {
                    Ty::Any
                }
            }
            Expr::Stmt(_) | Expr::DynamicConstant(..) => self.block_or_closure(expression),
            Expr::FnCall(call, position) => self.function_call(call, *position),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression),
            Expr::And(parts, _) | Expr::Or(parts, _) => self.condition(parts),
            Expr::Coalesce(parts, _) => self.coalesce(parts),
            Expr::Custom(custom, _) => {
                let inputs: Vec<Ty> = custom.inputs.iter().map(|input| self.eval(input)).collect();
                let is_params = custom.tokens.first().is_some_and(|word| word == "params");
                if is_params && inputs.is_empty() { Ty::Params } else { Ty::Any }
            }
            _ => Ty::Any,
        }
    }

    fn constant(&self, value: Value, position: Position) -> Ty {
        Ty::constant(value, self.spot(position))
    }

    fn map(&mut self, members: &'p [(rhai::Ident, Expr)]) -> Ty {
        let mut record = Record::default();
        for (name, value) in members {
            let ty = self.eval(value);
            self.bare_params(&ty);
            let spot = self.spot(name.pos);
            record.members.insert(name.name.to_string(), Field { ty, spot });
        }
        Ty::map(record)
    }

    fn block_or_closure(&mut self, expression: &'p Expr) -> Ty {
        if let Some((function, captured)) = self.tree.closure(expression) {
            return self.make_closure(function, &captured);
        }
        match expression {
            Expr::Stmt(block) => self.block(block.statements()),
            _ => Ty::Any,
        }
    }

    fn condition(&mut self, parts: &'p [Expr]) -> Ty {
        let mut tested = Vec::new();
        for part in parts {
            self.with_tested(tested.clone(), |inference| inference.eval(part));
            tested.extend(told_apart(part));
        }
        Ty::BOOL
    }

    fn coalesce(&mut self, parts: &'p [Expr]) -> Ty {
        let all: Vec<Ty> = parts.iter().map(|part| self.eval(part)).collect();
        let last = all.len().saturating_sub(1);
        Ty::any_of(all.into_iter().enumerate().map(|(index, ty)| {
            if index == last {
                return ty;
            }
            let given = ty.alternatives().iter().filter(|ty| !matches!(ty, Ty::Unit)).cloned();
            Ty::any_of(given.collect::<Vec<_>>())
        }))
    }

    /// The parameters as a whole: any of them may be read then.
    pub(super) fn bare_params(&mut self, ty: &Ty) {
        if matches!(ty, Ty::Params) {
            self.params_read = None;
        }
    }

    // --- calls ------------------------------------------------------------------------------------

    pub(super) fn function_call(&mut self, call: &'p FnCallExpr, position: Position) -> Ty {
        let arguments: Vec<Ty> = call.args.iter().map(|argument| self.eval(argument)).collect();
        if call.is_operator_call() {
            return self.operator(call, &arguments);
        }
        arguments.iter().for_each(|argument| self.bare_params(argument));
        let spot = self.spot(position);
        if call.is_qualified() {
            return self.qualified_call(call, arguments, spot);
        }
        let name = call.name.as_str();
        let file = &self.tree.files[self.file()];
        if let Some(function) = file.functions.get(&(name.to_owned(), arguments.len())) {
            return self.follow(*function, arguments, Some(spot));
        }
        let arities = file.arities(name);
        if !super::natives::is_known(name) {
            self.unknown_function(name, arguments.len(), &arities, spot);
            return Ty::Any;
        }
        // Rhai takes `in` and method style as calls, too.
        if name == "contains" && arguments.len() == 2 {
            self.contains(&arguments[0], &arguments[1]);
            return Ty::BOOL;
        }
        self.native(name, &arguments, spot)
    }

    fn unknown_function(&mut self, name: &str, given: usize, arities: &[usize], spot: Spot) {
        if self.lookup(name).is_some() || name == "curry" || name.starts_with("anon$") {
            return;
        }
        if arities.is_empty() {
            let file = &self.tree.files[spot.file];
            let own = file.functions.keys().map(|(name, _)| name.as_str());
            let diagnostic = undefined(format!("there is no function `{name}`"));
            let near = suggest::nearest(name, own.chain(super::natives::names()));
            self.report(
                spot,
                match near {
                    Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                    None => diagnostic,
                },
            );
        } else {
            self.report(spot, wrong_count(name, given, arities));
        }
    }

    fn qualified_call(&mut self, call: &FnCallExpr, arguments: Vec<Ty>, spot: Spot) -> Ty {
        let [module] = &*call.namespace.path else { return Ty::Any };
        let Some(file) = self.tree.files[self.file()].imports.get(module.name.as_str()) else {
            return Ty::Any;
        };
        let file = &self.tree.files[*file];
        let name = call.name.as_str();
        if let Some(function) = file.functions.get(&(name.to_owned(), arguments.len())) {
            return self.follow(*function, arguments, Some(spot));
        }
        let arities = file.arities(name);
        let path = file.source.path();
        let diagnostic = if arities.is_empty() {
            let diagnostic = undefined(format!("the module {path} has no function `{name}`"));
            match suggest::nearest(name, file.functions.keys().map(|(name, _)| name.as_str())) {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
        } else {
            wrong_count(name, arguments.len(), &arities)
        };
        self.report(spot, diagnostic);
        Ty::Any
    }

    fn operator(&mut self, call: &'p FnCallExpr, arguments: &[Ty]) -> Ty {
        match (call.name.as_str(), arguments) {
            (name @ ("==" | "!="), [left, right]) => {
                self.compared(left, right);
                self.compared(right, left);
                equal(left, right).map_or(Ty::BOOL, |equal| {
                    let spot = Spot { file: self.file(), position: Position::NONE };
                    Ty::constant((equal == (name == "==")).into(), spot)
                })
            }
            ("!", [operand]) => match operand.truth() {
                Some(known) => self.constant((!known).into(), Position::NONE),
                None => Ty::BOOL,
            },
            ("contains", [list, item]) => {
                self.contains(list, item);
                Ty::BOOL
            }
            ("<" | ">" | "<=" | ">=" | "!", _) => Ty::BOOL,
            ("+", [left, right]) => {
                let spot = Spot { file: self.file(), position: Position::NONE };
                self.sum(left, right, spot)
            }
            ("-", [Ty::Scalar(kind @ (Kind::Int | Kind::Float), Some(known))]) => {
                let negated = match kind {
                    Kind::Int => known.value.as_i64().and_then(i64::checked_neg).map(Value::from),
                    _ => known.value.as_f64().map(|number| Value::from(-number)),
                };
                negated.map_or(Ty::Scalar(*kind, None), |value| Ty::constant(value, known.spot))
            }
            _ => Ty::Any,
        }
    }

    /// `left + right`, unless there are too many ways to put them together.
    fn sum(&mut self, left: &Ty, right: &Ty, spot: Spot) -> Ty {
        let (parts, others) = (left.parts(), right.parts());
        let ways = parts * right.alternatives().len() + others * left.alternatives().len();
        self.spend(ways);
        if ways > MOST_WAYS { Ty::Any } else { sum(left, right, spot) }
    }

    pub(super) fn assignment(&mut self, operator: &OpAssignment, pair: &'p BinaryExpr) {
        let mut new = self.eval(&pair.rhs);
        self.bare_params(&new);
        if operator.is_op_assignment() {
            let spot = self.spot(operator.position());
            let old = self.eval(&pair.lhs);
            let is_sum = operator.get_op_assignment_info().is_some_and(|info| info.5 == "+");
            new = if is_sum { self.sum(&old, &new, spot) } else { Ty::Any };
        }
        let (base, links) = chain(&pair.lhs);
        let Expr::Variable(variable, ..) = base else { return };
        if links.is_empty() {
            self.assign(&variable.1, new);
            return;
        }
        let path = self.path(&links);
        match path {
            Some(path) => self.change(&variable.1, &path, new),
            None => self.assign(&variable.1, Ty::Any),
        }
    }

    /// The members along links; nothing when a call is among them.
    fn path(&mut self, links: &[Link<'p>]) -> Option<Vec<Option<(String, Spot)>>> {
        links
            .iter()
            .map(|link| match link {
                Link::Property(name, position) => {
                    Some(Some(((*name).to_owned(), self.spot(*position))))
                }
                Link::Index(index) => {
                    let index = self.eval(index);
                    let literal = index
                        .literal()
                        .and_then(|known| Some((known.value.as_str()?.to_owned(), known.spot)));
                    Some(literal)
                }
                Link::Method(..) => None,
            })
            .collect()
    }

    // --- chains -----------------------------------------------------------------------------------

    fn chain(&mut self, expression: &'p Expr) -> Ty {
        let (base, links) = chain(expression);
        let root = match base {
            Expr::Variable(variable, ..) if variable.2.is_empty() => Some(variable.1.as_str()),
            _ => None,
        };
        let mut ty = self.eval(base);
        for (index, link) in links.iter().enumerate() {
            let is_last = index + 1 == links.len();
            if let Link::Property(_, position) | Link::Method(_, position) = link {
                self.watch(*position, &ty);
            }
            ty = match link {
                Link::Property(name, position) => {
                    let called = match links.get(index + 1) {
                        Some(Link::Method(call, _)) => Next::Method(&call.name),
                        Some(_) => Next::Member,
                        None => Next::End,
                    };
                    self.member(&ty, name, self.spot(*position), root, called)
                }
                Link::Index(inner) => {
                    let key = self.eval(inner);
                    self.indexed(&ty, &key)
                }
                Link::Method(call, position) => {
                    let arguments: Vec<Ty> = call.args.iter().map(|arg| self.eval(arg)).collect();
                    arguments.iter().for_each(|argument| self.bare_params(argument));
                    let spot = self.spot(*position);
                    let answer = self.method(&ty, call, &arguments, spot);
                    if let (Some(root), Some(new)) = (root, answer.receiver)
                        && (is_last || matches!(new, Ty::Any | Ty::List(..)))
                        && let Some(path) = self.path(&links[..index])
                    {
                        self.change(root, &path, new);
                    }
                    answer.value
                }
            };
        }
        ty
    }

    /// A member of a value. `called` is what comes next.
    fn member(
        &mut self,
        of: &Ty,
        name: &str,
        spot: Spot,
        root: Option<&str>,
        called: Next<'_>,
    ) -> Ty {
        let mut found = Ty::Never;
        let mut missing = Vec::new();
        let (mut is_unknown, mut is_certain) = (false, false);
        for one in of.alternatives() {
            match self.member_of(one, name, spot, called) {
                Read::Found(ty) => (found, is_certain) = (found.or(ty), true),
                Read::Possible(ty) => found = found.or(ty),
                Read::Unknown => is_unknown = true,
                Read::Missing(problem) => missing.push(problem),
                Read::Nothing => {}
            }
        }
        let is_found = found != Ty::Never;
        if is_certain {
            self.read_well(spot);
        } else if is_found {
            self.read_perhaps(spot);
        }
        let is_own = of.alternatives().iter().any(|one| match one {
            Ty::Map(record) => !record.is_given,
            _ => matches!(of, Ty::OneOf(_)),
        });
        let is_told_apart = is_own && root.is_some_and(|root| self.is_tested(root));
        if !is_found && !is_unknown && !is_told_apart && !missing.is_empty() {
            let Missing { spot: at, diagnostic, also } = missing.swap_remove(0);
            self.report_read(at, diagnostic, spot);
            if let Some((at, diagnostic)) = also.map(|also| *also) {
                self.report_read(at, diagnostic, spot);
            }
            return Ty::Any;
        }
        if is_unknown {
            found.or(Ty::Any)
        } else if is_found {
            found
        } else {
            Ty::Any
        }
    }

    fn member_of(&mut self, of: &Ty, name: &str, spot: Spot, called: Next<'_>) -> Read {
        match of {
            Ty::Unit | Ty::Never => Read::Nothing,
            Ty::Params => self.param(name, spot),
            Ty::Account => Read::of(self.client(name, spot)),
            Ty::Any => Read::of(self.client_by_name(name, called, spot)),
            Ty::Map(record) => match (record.members.get(name), &record.rest) {
                (Some(field), _) => Read::Found(field.ty.clone()),
                (None, Some(rest)) => Read::Possible(rest.clone()),
                (None, None) => Read::Missing(self.no_field(record, name, spot)),
            },
            Ty::Shape(shaped) => self.member_of_shape(*shaped, name, spot),
            Ty::Client(service) => {
                let diagnostic = undefined(format!("the client {service} has no member `{name}`"))
                    .hint(format!("an operation is called: .{name}(#{{ ... }})"));
                Read::Missing(Missing::at(spot, diagnostic))
            }
            Ty::Closure(_) | Ty::Scalar(..) | Ty::Choice(_) | Ty::List(..) | Ty::OneOf(_) => {
                Read::Unknown
            }
        }
    }

    pub(super) fn member_of_shape(&self, shaped: Shaped, name: &str, spot: Spot) -> Read {
        let Shaped { model, name: shape_name } = shaped;
        let shape = model.shape(shape_name);
        match shape.kind {
            ShapeKind::Structure => match shape.member_named(name) {
                Some(member) => Read::Found(Ty::shape(model, &member.shape)),
                None => {
                    let known: Vec<&str> =
                        shape.members.0.iter().map(|(name, _)| name.as_str()).collect();
                    let message = format!("what AWS answers has no member `{name}` ({shape_name})");
                    let hint = match suggest::nearest(name, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("members: {}", known.join(", ")),
                    };
                    Read::Missing(Missing::at(spot, undefined(message).hint(hint)))
                }
            },
            ShapeKind::Map => match &shape.value {
                Some(value) => Read::Found(Ty::shape(model, &value.shape)),
                None => Read::Unknown,
            },
            ShapeKind::List => {
                let message = format!("a list ({shape_name}) has no member `{name}`");
                let diagnostic = undefined(message).hint("take one element: list[0]");
                Read::Missing(Missing::at(spot, diagnostic))
            }
            _ => Read::Unknown,
        }
    }

    /// A map of the script lacks a member. When it has one of nearly that name that nothing reads,
    /// the mistake may be there: it is where the name stands alone, and else in either place.
    fn no_field(&self, record: &Record, name: &str, spot: Spot) -> Missing {
        let is_unread = |known: &&String| !record.is_given && !self.tree.read.contains_key(*known);
        let unread = record.members.iter().filter(|(known, _)| is_unread(known));
        let unread: Vec<_> = unread.collect();
        let near = suggest::nearest(name, unread.iter().map(|(known, _)| known.as_str()));
        if let Some((known, field)) =
            near.and_then(|near| unread.iter().find(|(known, _)| known.as_str() == near))
        {
            let message =
                format!("nothing reads the member `{known}`, and `{name}` is read and not there");
            let given = undefined(message).hint(format!("did you mean `{name}`?"));
            let count = |names: &BTreeMap<String, usize>, name: &str| {
                names.get(name).copied().unwrap_or_default()
            };
            let is_usual = |name| count(&self.tree.written, name) > 0;
            if count(&self.tree.read, name) > 1 || is_usual(name) {
                return Missing::at(field.spot, given);
            }
            let message =
                format!("the map has no member `{name}`, and nothing reads its `{known}`");
            let read = undefined(message).hint(format!("did you mean `{known}`?"));
            let is_given_often = count(&self.tree.written, known) > 1;
            let also = (!is_given_often).then(|| Box::new((field.spot, given)));
            return Missing { spot, diagnostic: read, also };
        }
        let diagnostic = undefined(format!("the map has no member `{name}`"));
        let known = || record.members.keys().map(String::as_str);
        let diagnostic = match suggest::nearest(name, known()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("it has {}", some_of(known()))),
        };
        let diagnostic = diagnostic.hint(format!("a member that may be absent: .get(\"{name}\")"));
        Missing::at(spot, diagnostic)
    }

    /// `map["member"]`, `list[0]`.
    fn indexed(&mut self, of: &Ty, key: &Ty) -> Ty {
        let keys: Option<Vec<(String, Spot)>> = key
            .alternatives()
            .iter()
            .map(|key| {
                let literal = key.literal()?;
                Some((literal.value.as_str()?.to_owned(), literal.spot))
            })
            .collect();
        let all = of.alternatives().iter().map(|one| match (one, &keys) {
            (Ty::Map(record), Some(keys)) => {
                let known: Option<Vec<Ty>> = keys.iter().map(|(key, _)| record.get(key)).collect();
                known.map_or(Ty::Any, Ty::any_of)
            }
            (Ty::Shape(_), Some(keys)) if keys.len() > 1 => Ty::Any,
            (Ty::Map(record), None) => record.everything(),
            (Ty::Shape(Shaped { model, name }), keys) => {
                let shape = model.shape(name);
                match (shape.kind, keys) {
                    (ShapeKind::List, _) => one.element(),
                    (ShapeKind::Map, _) => {
                        shape.value.as_ref().map_or(Ty::Any, |value| Ty::shape(model, &value.shape))
                    }
                    (ShapeKind::Structure, Some(keys)) => {
                        Ty::any_of(keys.iter().map(|(key, _)| {
                            shape
                                .member_named(key)
                                .map_or(Ty::Any, |member| Ty::shape(model, &member.shape))
                        }))
                    }
                    _ => Ty::Any,
                }
            }
            (Ty::List(..), _) => one.element(),
            (Ty::Unit | Ty::Never, _) => Ty::Never,
            _ => Ty::Any,
        });
        let all: Vec<Ty> = all.collect();
        if let (Ty::Params, Some(keys)) = (of, &keys) {
            let found = keys.iter().map(|(key, spot)| match self.param(key, *spot) {
                Read::Found(ty) | Read::Possible(ty) => ty,
                Read::Missing(missing) => {
                    self.report(missing.spot, missing.diagnostic);
                    Ty::Any
                }
                Read::Unknown | Read::Nothing => Ty::Any,
            });
            return Ty::any_of(found.collect::<Vec<_>>());
        }
        if matches!(of, Ty::Params) {
            self.params_read = None;
        }
        match Ty::any_of(all) {
            Ty::Never => Ty::Any,
            known => known,
        }
    }
}

/// The first of several names, for a hint.
pub(super) fn some_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<&str> = names.take(SHOWN + 1).collect();
    if names.len() > SHOWN {
        names[SHOWN] = "...";
    }
    names.join(", ")
}

/// What comes after a member.
#[derive(Clone, Copy)]
pub(super) enum Next<'e> {
    /// A method of this name is called on it.
    Method(&'e str),
    /// A member of it is read.
    Member,
    End,
}

/// What reading a member comes to.
pub(super) enum Read {
    Found(Ty),
    /// There may be a member of that name.
    Possible(Ty),
    Missing(Missing),
    /// Nothing is known of the value.
    Unknown,
    /// The value is absent; who checks for that is not followed.
    Nothing,
}

impl Read {
    fn of(ty: Option<Ty>) -> Self {
        ty.map_or(Self::Unknown, Self::Found)
    }
}

/// A member that is not there.
pub(super) struct Missing {
    pub(super) spot: Spot,
    pub(super) diagnostic: Diagnostic,
    /// Where the mistake may be instead.
    also: Option<Box<(Spot, Diagnostic)>>,
}

impl Missing {
    pub(super) fn at(spot: Spot, diagnostic: Diagnostic) -> Self {
        Self { spot, diagnostic, also: None }
    }
}

fn wrong_count(name: &str, given: usize, arities: &[usize]) -> Diagnostic {
    let counts: Vec<String> = arities.iter().map(ToString::to_string).collect();
    let message = format!("`{name}` takes {} arguments, {given} are given", counts.join(" or "));
    Diagnostic::error(Code::BadArgument, message)
}

/// Whether two values are equal, where that is certain.
fn equal(left: &Ty, right: &Ty) -> Option<bool> {
    match (left, right) {
        (Ty::Unit, Ty::Unit) => Some(true),
        (Ty::Unit, other) | (other, Ty::Unit) => (!other.may_be_unit()).then_some(false),
        _ => {
            let (left, right) = (left.literal()?, right.literal()?);
            Some(left.value == right.value)
        }
    }
}

/// `left + right`.
fn sum(left: &Ty, right: &Ty, spot: Spot) -> Ty {
    // What is absent cannot be added; who checks for that is not followed.
    let given = |ty: &Ty| -> Vec<Ty> {
        ty.alternatives().iter().filter(|ty| !matches!(ty, Ty::Unit)).cloned().collect()
    };
    let (left, right) = (given(left), given(right));
    let all = left.iter().flat_map(|left| right.iter().map(move |right| sum_of(left, right, spot)));
    Ty::any_of(all.collect::<Vec<_>>())
}

fn sum_of(left: &Ty, right: &Ty, spot: Spot) -> Ty {
    let is_text = |ty: &Ty| match ty {
        Ty::Scalar(Kind::Text, _) | Ty::Choice(_) => true,
        Ty::Shape(Shaped { model, name }) => model.shape(name).kind == ShapeKind::String,
        _ => false,
    };
    match (left, right) {
        (Ty::Never, _) | (_, Ty::Never) => Ty::Never,
        (Ty::List(left, _), Ty::List(right, _)) => Ty::list((**left).clone().or((**right).clone())),
        (Ty::Scalar(Kind::Int, _), Ty::Scalar(Kind::Int, _)) => Ty::INT,
        (Ty::Scalar(Kind::Text, Some(left)), Ty::Scalar(Kind::Text, Some(right))) => {
            match (left.value.as_str(), right.value.as_str()) {
                (Some(first), Some(second)) if first.len() + second.len() <= LONGEST_TEXT => {
                    Ty::constant(format!("{first}{second}").into(), left.spot)
                }
                _ => Ty::TEXT,
            }
        }
        _ if is_text(left) || is_text(right) => Ty::TEXT,
        _ => match (left.as_record(spot), right.as_record(spot)) {
            (Some(left), Some(right)) => Ty::map(left.merged(&right)),
            (None, Some(right)) if matches!(left, Ty::Any) => {
                let mut all = right;
                all.rest = Some(Ty::Any);
                Ty::map(all)
            }
            (Some(left), None) if matches!(right, Ty::Any) => {
                let unknown = Record { rest: Some(Ty::Any), ..Record::default() };
                Ty::map(left.merged(&unknown))
            }
            _ => Ty::Any,
        },
    }
}
