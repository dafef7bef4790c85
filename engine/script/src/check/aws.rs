//! Calls of AWS operations: the service, the operation, and the input against its shape.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::validate::{Problem, ProblemKind, validate};
use piton_models::{Model, Shape, ShapeKind, suggest};
use serde_json::{Map, Value, json};

use super::expr::Next;
use super::infer::Inference;
use super::ty::{Count, Kind, Record, Shaped, Spot, Ty};
use crate::bound::{self, Found, code_of, said};
use crate::prelude::accounts;

/// An input on its way through its shape.
struct Input<'a> {
    model: &'static Model,
    /// `datazone.create_project`.
    operation: &'a str,
    /// The member that the engine fills with a token.
    token: Option<&'a str>,
    /// Where the operation is called.
    called: Spot,
    path: Vec<String>,
}

impl Inference<'_> {
    /// The client of a service of an account.
    pub(super) fn client(&mut self, name: &str, spot: Spot) -> Option<Ty> {
        let service = bound::services().find(|service| *service == name);
        if service.is_none() {
            self.report(spot, accounts::unknown_service(name));
        }
        service.map(Ty::Client)
    }

    /// The client that a member of something unknown must be: by its name, or by nearly that name
    /// when an operation of the service is called on it.
    pub(super) fn client_by_name(&mut self, name: &str, next: Next<'_>, spot: Spot) -> Option<Ty> {
        let known = bound::services().find(|service| *service == name).map(Ty::Client);
        let called = match next {
            Next::Method(called) if !super::natives::is_known(called) => called,
            // A member of that name may be anything.
            Next::Method(_) | Next::Member => return None,
            Next::End => return known.map(|client| client.or(Ty::Any)),
        };
        if known.is_some() || self.tree.written.contains_key(name) {
            return known;
        }
        let near = suggest::nearest(name, bound::services())?;
        if !bound::has_operation(near, called) {
            return None;
        }
        self.report(spot, accounts::unknown_service(name));
        Some(Ty::Client(near))
    }

    /// The only service that has an operation of this name, of those that the program names: no other
    /// model is read for it.
    pub(super) fn only_service_with(&self, operation: &str) -> Option<&'static str> {
        let services = self.tree.services.iter().copied();
        let mut having = services.filter(|service| bound::has_operation(service, operation));
        let first = having.next()?;
        having.next().is_none().then_some(first)
    }

    /// What an operation answers.
    pub(super) fn operation(
        &mut self,
        service: &'static str,
        method: &str,
        arguments: &[Ty],
        spot: Spot,
    ) -> Ty {
        let found = match bound::lookup(service, method) {
            Ok(found) => found,
            Err(problem) => {
                self.report(spot, problem);
                return Ty::Any;
            }
        };
        let operation = format!("{service}.{method}");
        match (arguments, found.input) {
            ([], Some(shape)) => {
                let empty = Ty::map(Record::default());
                self.input(&found, &operation, shape, &empty, spot);
            }
            ([], None) => {}
            ([given], Some(shape)) => self.input(&found, &operation, shape, given, spot),
            ([given], None) => self.no_input(&operation, method, given),
            _ => {
                let message =
                    format!("{operation} takes one map of members, {} are given", arguments.len());
                self.report(spot, Diagnostic::error(Code::BadMember, message));
            }
        }
        found.output.map_or(Ty::Unit, |shape| Ty::shape(found.model, shape))
    }

    fn no_input(&mut self, operation: &str, method: &str, given: &Ty) {
        let Ty::Map(record) = given else { return };
        for field in record.members.values() {
            let message = format!("{operation}: the operation takes no members");
            let diagnostic = Diagnostic::error(Code::UnknownMember, message);
            self.report(field.spot, diagnostic.hint(format!("{method}()")));
        }
    }

    fn input(&mut self, found: &Found, operation: &str, shape: &str, given: &Ty, called: Spot) {
        let Found { model, token, .. } = *found;
        let mut input = Input { model, operation, token, called, path: Vec::new() };
        let is_map =
            |one: &&Ty| matches!(one, Ty::Map(_) | Ty::Any | Ty::Never | Ty::Unit | Ty::Shape(_));
        match given.alternatives().iter().find(|one| !is_map(one)) {
            None => self.value(&mut input, shape, given),
            Some(other) => {
                let found = other.described();
                let message = format!("{operation} takes one map of members, found {found}");
                self.report(called, Diagnostic::error(Code::BadMember, message));
            }
        }
    }

    /// A value against a shape.
    fn value(&mut self, input: &mut Input<'_>, name: &str, given: &Ty) {
        let model = input.model;
        let shape = model.shape(name);
        if shape.document {
            return;
        }
        if shape.kind == ShapeKind::Structure {
            self.completeness(input, name, shape, given);
            self.lost_union(input, shape, given);
        }
        for one in given.alternatives() {
            match one {
                Ty::Scalar(_, Some(constant)) => {
                    let problems = validate(model, name, &constant.value, &|_| false);
                    self.tell(input, problems, constant.spot);
                }
                Ty::Map(record) => match shape.kind {
                    ShapeKind::Structure => self.structure(input, name, shape, record),
                    ShapeKind::Map => self.entries(input, shape, record),
                    _ => self.wrong_type(input, name, one),
                },
                Ty::List(item, count) => match (shape.kind, &shape.member) {
                    (ShapeKind::List, Some(member)) => {
                        if let Some(count) = count {
                            self.length(input, name, *count);
                        }
                        input.path.push("[]".to_owned());
                        self.value(input, &member.shape, item);
                        input.path.pop();
                    }
                    (ShapeKind::List | ShapeKind::Blob, _) => {}
                    _ => self.wrong_type(input, name, one),
                },
                Ty::Scalar(..) | Ty::Choice(_) | Ty::Closure(_) | Ty::Account | Ty::Client(_) => {
                    self.wrong_type(input, name, one);
                }
                Ty::Shape(_) => self.wrong_type(input, name, one),
                Ty::Any | Ty::Never | Ty::Unit | Ty::Params | Ty::OneOf(_) => {}
            }
        }
    }

    fn structure(&mut self, input: &mut Input<'_>, name: &str, shape: &Shape, record: &Record) {
        for (key, field) in &record.members {
            match shape.member_named(key) {
                Some(member) => {
                    input.path.push(key.clone());
                    self.value(input, &member.shape, &field.ty);
                    input.path.pop();
                }
                None => {
                    let alone = Value::Object(Map::from_iter([(key.clone(), Value::Null)]));
                    let problems = validate(input.model, name, &alone, &|_| false);
                    let unknown = problems
                        .into_iter()
                        .filter(|problem| problem.kind == ProblemKind::UnknownMember)
                        .collect();
                    self.tell(input, unknown, field.spot);
                }
            }
        }
    }

    /// Members that must be given, and the one member of a union: said when whatever the value may
    /// be lacks them.
    fn completeness(&mut self, input: &Input<'_>, name: &str, shape: &Shape, given: &Ty) {
        let mut records = Vec::new();
        for one in given.alternatives() {
            match one {
                Ty::Map(record) if record.rest.is_none() => records.push(record),
                Ty::Unit | Ty::Never => {}
                _ => return,
            }
        }
        let Some(first) = records.first() else { return };
        let is_absent = |member: &str| {
            records
                .iter()
                .all(|record| record.members.get(member).is_none_or(|field| field.ty == Ty::Unit))
        };
        let is_unknown = first.members.keys().any(|key| shape.member_named(key).is_none());
        if shape.union && records.len() == 1 {
            let given = first.members.values().filter(|field| !field.ty.may_be_unit()).count();
            let is_empty = shape.members.0.iter().all(|(member, _)| is_absent(member));
            if given > 1 || (is_empty && !is_unknown) {
                let message = format!("{name} takes exactly one member, {given} are given");
                let kind = ProblemKind::Union;
                let problem = Problem { path: String::new(), kind, message, hint: None };
                self.tell(input, vec![problem], input.called);
            }
        }
        for required in &shape.required {
            let is_flagged =
                shape.member_named(required).is_some_and(|member| member.idempotency_token);
            let is_token = input.token.is_some_and(|token| token == required);
            let is_filled_in = is_flagged && (is_token || !input.path.is_empty());
            let is_misspelt = first.members.keys().any(|key| shape.misspells(key, required));
            if is_absent(required) && !is_filled_in && !is_misspelt {
                let problem = Problem {
                    path: required.clone(),
                    kind: ProblemKind::MissingMember,
                    message: format!("`{required}` is required"),
                    hint: None,
                };
                self.tell(input, vec![problem], input.called);
            }
        }
    }

    /// A union that the SDK sends without the name of its member: AWS cannot read what was meant.
    fn lost_union(&mut self, input: &Input<'_>, shape: &Shape, given: &Ty) {
        let is_lost = shape.union && bound::loses_unions(input.model);
        let is_given = given.alternatives().iter().any(|one| matches!(one, Ty::Map(_) | Ty::Any));
        if !is_lost || !is_given {
            return;
        }
        let path = input.path.join("/").replace("/[]", "[]");
        let message = format!(
            "{}: `{path}` does not reach AWS: this version of the SDK sends it without the name of its member",
            input.operation
        );
        let diagnostic = Diagnostic::warning(Code::LostMember, message).hint(
            "rehearse it against AWS with nothing at stake, or make this call by other means",
        );
        self.report(input.called, diagnostic);
    }

    /// The length of a list that is written out.
    fn length(&mut self, input: &Input<'_>, name: &str, count: Count) {
        let stand_in = Value::Array(vec![Value::Null; count.elements]);
        let mut problems = validate(input.model, name, &stand_in, &|_| false);
        problems.retain(|problem| problem.path.is_empty() && problem.kind == ProblemKind::Length);
        self.tell(input, problems, count.spot);
    }

    fn entries(&mut self, input: &mut Input<'_>, shape: &Shape, record: &Record) {
        for (key, field) in &record.members {
            if let Some(key_member) = &shape.key {
                let problems = validate(input.model, &key_member.shape, &json!(key), &|_| false);
                self.tell(input, problems, field.spot);
            }
            if let Some(member) = &shape.value {
                input.path.push(key.clone());
                self.value(input, &member.shape, &field.ty);
                input.path.pop();
            }
        }
    }

    /// A value whose type is known, and which is none that the shape takes.
    fn wrong_type(&mut self, input: &mut Input<'_>, name: &str, given: &Ty) {
        let shape = input.model.shape(name);
        let fits = match (shape.kind, kind_of(given)) {
            (_, Form::Unknown) => true,
            (ShapeKind::Structure | ShapeKind::Map, form) => form == Form::Map,
            (ShapeKind::List, form) => form == Form::List,
            (ShapeKind::String | ShapeKind::Character, form) => form == Form::Text,
            (ShapeKind::Blob, form) => matches!(form, Form::Text | Form::List),
            (ShapeKind::Timestamp, form) => matches!(form, Form::Text | Form::Number | Form::Int),
            (ShapeKind::Boolean, form) => form == Form::Bool,
            (ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger, form) => {
                form == Form::Int
            }
            (_, form) => matches!(form, Form::Number | Form::Int),
        };
        if fits {
            return;
        }
        let representative = match kind_of(given) {
            Form::Map => json!({}),
            Form::List => json!([]),
            Form::Bool => json!(true),
            Form::Int => json!(1),
            Form::Number => json!(0.5),
            _ => json!("text"),
        };
        let problems = validate(input.model, name, &representative, &|_| false);
        let wrong: Vec<Problem> = problems
            .into_iter()
            .filter(|problem| problem.path.is_empty() && problem.kind == ProblemKind::WrongType)
            .map(|problem| Problem { hint: None, ..problem })
            .collect();
        let called = input.called;
        self.tell(input, wrong, called);
    }

    /// Problems of one value, in the words of the check at run time.
    fn tell(&mut self, input: &Input<'_>, problems: Vec<Problem>, spot: Spot) {
        for mut problem in problems {
            let mut path = input.path.clone();
            if !problem.path.is_empty() {
                path.push(std::mem::take(&mut problem.path));
            }
            problem.path = path.join("/").replace("/[]", "[]");
            let message = format!("{}: {}", input.operation, said(&problem));
            let mut diagnostic = Diagnostic::error(code_of(problem.kind), message);
            if let Some(hint) = problem.hint {
                diagnostic = diagnostic.hint(hint);
            }
            let hint = format!("`piton explain {}` shows the members", input.operation);
            self.report(spot, diagnostic.hint(hint));
        }
    }
}

/// The form of a value as the models know them.
#[derive(PartialEq, Clone, Copy)]
enum Form {
    Text,
    Int,
    Number,
    Bool,
    List,
    Map,
    Unknown,
}

fn kind_of(ty: &Ty) -> Form {
    match ty {
        Ty::Scalar(Kind::Text, _) => Form::Text,
        Ty::Scalar(Kind::Int, _) => Form::Int,
        Ty::Scalar(Kind::Float, _) => Form::Number,
        Ty::Scalar(Kind::Bool, _) => Form::Bool,
        Ty::List(..) => Form::List,
        Ty::Map(_) | Ty::Closure(_) | Ty::Account | Ty::Client(_) => Form::Map,
        Ty::Shape(Shaped { model, name }) => match model.shape(name).kind {
            ShapeKind::Structure | ShapeKind::Map => Form::Map,
            ShapeKind::List => Form::List,
            ShapeKind::String => Form::Text,
            _ => Form::Unknown,
        },
        _ => Form::Unknown,
    }
}
