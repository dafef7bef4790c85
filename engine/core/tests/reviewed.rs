//! The reviewed tables against the service models: every name, member, state and error code in them
//! is AWS's, and no mutating operation is left to a guess.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use piton_core::catalogue::{
    self, Class, Finder, Inverse, Look, ModelFacts, Reviewed, Shows, States, Thing,
};
use piton_models::{Model, Operation, Shape, ShapeKind};
use serde_json::Value;

/// How many operations of a service have a class, all operations of its model counted:
/// read, token, put, natural key, unsafe.
const COUNTS: [(&str, [usize; 5]); 11] = [
    ("athena", [42, 7, 15, 11, 0]),
    ("datazone", [83, 42, 28, 42, 0]),
    ("glue", [150, 18, 70, 62, 14]),
    ("iam", [72, 0, 56, 36, 16]),
    ("lakeformation", [35, 0, 22, 13, 1]),
    ("ram", [15, 17, 4, 0, 0]),
    ("redshift", [49, 0, 44, 44, 8]),
    ("redshift_data", [9, 2, 0, 1, 0]),
    ("redshift_serverless", [30, 1, 13, 19, 2]),
    ("secretsmanager", [9, 4, 13, 0, 0]),
    ("sts", [11, 0, 0, 0, 0]),
];

fn model(service: &str) -> &'static Model {
    piton_models::service(service).unwrap_or_else(|| panic!("{service} has no model"))
}

fn class(model: &Model, service: &str, operation: &Operation) -> Class {
    let facts = ModelFacts {
        has_token: model.token_member(operation).is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    };
    catalogue::class(service, &operation.script_name(), facts)
}

#[track_caller]
fn refuse(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

#[test]
fn every_bound_service_has_a_table() {
    let mut bound = piton_models::services().to_vec();
    bound.sort_unstable();
    assert_eq!(catalogue::SERVICES, bound);
}

#[test]
fn no_mutating_operation_is_left_to_a_guess() {
    let mut problems = Vec::new();
    for service in catalogue::SERVICES {
        let model = model(service);
        for operation in model.operations.values() {
            let name = operation.script_name();
            let is_mutating = class(model, service, operation).is_mutating();
            if is_mutating && catalogue::reviewed(service, &name).is_none() {
                problems.push(format!("{service}.{name}"));
            }
        }
    }
    refuse(&problems);
}

#[test]
fn the_classes_are_counted() {
    let mut counts = Vec::new();
    for service in catalogue::SERVICES {
        let model = model(service);
        let mut by_class: BTreeMap<&str, usize> = BTreeMap::new();
        for operation in model.operations.values() {
            *by_class.entry(class(model, service, operation).as_str()).or_default() += 1;
        }
        let of = |class: Class| by_class.get(class.as_str()).copied().unwrap_or(0);
        let classes = [Class::Read, Class::Token, Class::Put, Class::NaturalKey, Class::Unsafe];
        counts.push((*service, classes.map(of)));
    }
    assert_eq!(counts, COUNTS);
}

#[test]
fn every_row_agrees_with_the_model() {
    let mut problems = Vec::new();
    for service in catalogue::SERVICES.iter().chain(catalogue::PARTLY) {
        for (name, row) in catalogue::reviewed_operations(service) {
            let Some(check) = Check::new(service, name, &mut problems) else { continue };
            check.row(row);
        }
    }
    refuse(&problems);
}

/// One row held against its model.
struct Check<'a> {
    model: &'static Model,
    service: &'a str,
    name: &'a str,
    operation: &'static Operation,
    problems: &'a mut Vec<String>,
}

/// The shapes that the places of a template stand for.
#[derive(Clone, Copy, Default)]
struct Roots {
    input: Option<&'static Shape>,
    output: Option<&'static Shape>,
    before: Option<&'static Shape>,
    found: Option<&'static Shape>,
}

impl<'a> Check<'a> {
    fn new(service: &'a str, name: &'a str, problems: &'a mut Vec<String>) -> Option<Self> {
        let model = model(service);
        match model.operation_by_script_name(name) {
            Some(operation) => Some(Self { model, service, name, operation, problems }),
            None => {
                problems.push(format!("{service}.{name}: no such operation"));
                None
            }
        }
    }

    fn say(&mut self, what: impl AsRef<str>) {
        self.problems.push(format!("{}.{}: {}", self.service, self.name, what.as_ref()));
    }

    fn row(mut self, row: &Reviewed) {
        let flagged = self.model.token_member(self.operation);
        let token = catalogue::token_member(self.service, self.name, flagged);
        if row.class == Class::Token && token.is_none() {
            self.say("no member takes the token");
        }
        if row.no_token && flagged.is_none() {
            self.say("the model flags no token");
        }
        if let Some(member) = &row.token_member {
            let input = self.model.input_shape(self.operation).unwrap();
            let is_text = input
                .member_named(member)
                .is_some_and(|it| self.model.shape(&it.shape).kind == ShapeKind::String);
            if !is_text || flagged.is_some() {
                self.say(format!("{member} is no member for a token, or is flagged anyway"));
            }
        }
        if row.ageless && row.class != Class::Token {
            self.say("only a token ages");
        }
        if row.in_turn && (row.class != Class::Put || row.states.is_none()) {
            self.say("only a put that has states waits for its turn");
        }
        if row.class == Class::NaturalKey && row.find.is_none() {
            self.say("no search");
        }
        if matches!(row.class, Class::Put | Class::Unsafe | Class::Read) && row.find.is_some() {
            self.say("a search that nobody uses");
        }
        if row.class == Class::Unsafe && row.why.is_none() {
            self.say("does not say why it is unsafe");
        }
        let takes_back =
            usize::from(row.inverse.is_some()) + usize::from(row.irreversible.is_some());
        if takes_back != usize::from(row.class.is_mutating()) {
            self.say("has to have an inverse, or to say why there is none");
        }
        if let Some(find) = &row.find {
            self.finder(find);
        }
        if row.inverse.is_none() && !(row.also.is_empty() && row.before.is_none()) {
            self.say("has further inverses, or looks before, for nothing");
        }
        let before = row.before.as_ref().and_then(|look| self.look(look, self.called()));
        for inverse in row.also.iter().chain(&row.inverse) {
            self.inverse(inverse, before);
        }
        if let Some(states) = &row.states {
            self.states(states);
        }
        if let Some(shows) = &row.shows {
            self.shows(shows);
        }
        if let Some(thing) = &row.thing {
            self.thing(thing, row.class);
        }
        if let Some(harmless) = &row.harmless
            && self.input().is_none_or(|it| it.member_named(&harmless.member).is_none())
        {
            self.say(format!("no member {}", harmless.member));
        }
    }

    /// The places of a call that has not been answered.
    fn called(&self) -> Roots {
        Roots { input: self.input(), ..Roots::default() }
    }

    /// The shape of what a look shows.
    fn look(&mut self, look: &Look, roots: Roots) -> Option<&'static Shape> {
        let read = self.read(&look.operation)?;
        self.call(read, &look.input, roots);
        self.codes(read, &look.none_on);
        let answer = self.model.output_shape(read);
        let thing = match &look.items {
            None => answer,
            Some(path) => answer
                .and_then(|shape| self.at(shape, path))
                .and_then(|list| Some(self.model.shape(&list.member.as_ref()?.shape))),
        };
        let Some(thing) = thing else {
            self.say(format!("{} shows nothing", look.operation));
            return None;
        };
        for (path, template) in &look.matches {
            match self.at(thing, path) {
                None => self.say(format!("what {} shows has no {path}", look.operation)),
                Some(shape) => self.template(shape, template, roots, path),
            }
        }
        Some(thing)
    }

    fn shows(&mut self, shows: &Shows) {
        let Some(read) = self.read(&shows.operation) else { return };
        let roots = Roots { output: self.output(), ..self.called() };
        self.call(read, &shows.input, roots);
        let row = catalogue::reviewed(self.service, &shows.operation);
        let Some(thing) = row.and_then(|row| row.thing.as_ref()) else {
            self.say(format!("nothing says what {} shows", shows.operation));
            return;
        };
        let Some(of) = &shows.of else { return };
        match self.output().and_then(|output| self.at(output, of)) {
            None => self.say(format!("the output has no {of}")),
            Some(whole) => {
                let has = |path: &&String| self.at(whole, path).is_some();
                if !thing.anchors.iter().chain(&thing.fields).chain([&thing.name]).any(|p| has(&p))
                {
                    self.say(format!("nothing of what {} shows is in {of}", shows.operation));
                }
            }
        }
    }

    fn thing(&mut self, thing: &Thing, class: Class) {
        if class != Class::Read {
            self.say("only a read shows a thing");
        }
        let operation = self.operation;
        let Some(shape) = self.output().and_then(|output| self.at(output, &thing.at)) else {
            self.say(format!("the answer has no {}", thing.at));
            return;
        };
        let paths = thing.anchors.iter().chain(&thing.fields).chain([&thing.name]);
        for path in paths.chain(thing.gone_when.keys()) {
            if self.at(shape, path).is_none() {
                self.say(format!("the thing has no {path}"));
            }
        }
        for (path, states) in &thing.gone_when {
            for state in states {
                if let Some(shape) = self.at(shape, path) {
                    self.template(shape, state, Roots::default(), path);
                }
            }
        }
        self.codes(operation, &thing.gone_on);
    }

    fn input(&self) -> Option<&'static Shape> {
        self.model.input_shape(self.operation)
    }

    fn output(&self) -> Option<&'static Shape> {
        self.model.output_shape(self.operation)
    }

    /// An operation that reads; `..._all` where it has pages.
    fn read(&mut self, name: &str) -> Option<&'static Operation> {
        let (base, all) = match name.strip_suffix("_all") {
            Some(base) => (base, true),
            None => (name, false),
        };
        let found = self.model.operation_by_script_name(base);
        match found {
            None => self.say(format!("no operation {base}")),
            Some(read) if class(self.model, self.service, read) != Class::Read => {
                self.say(format!("{base} does not read"));
            }
            Some(read) if all && !self.model.paginators.contains_key(&read.name) => {
                self.say(format!("{base} has no pages"));
            }
            Some(_) => {}
        }
        found
    }

    fn finder(&mut self, find: &Finder) {
        let Some(read) = self.read(&find.operation) else { return };
        let called = Roots { input: self.input(), ..Roots::default() };
        self.call(read, &find.input, called);
        let answer = self.model.output_shape(read);
        let candidate = match &find.items {
            None => answer,
            Some(path) => answer.and_then(|shape| self.at(shape, path)).and_then(|list| {
                let element = list.member.as_ref()?;
                Some(self.model.shape(&element.shape))
            }),
        };
        let Some(candidate) = candidate else {
            self.say("the search has no candidates");
            return;
        };
        let found = Roots { found: Some(candidate), ..called };
        for (path, template) in &find.matches {
            match (self.at(candidate, path), template) {
                (None, _) => self.say(format!("a candidate has no {path}")),
                (Some(shape), Value::Array(any)) => {
                    any.iter().for_each(|one| self.template(shape, one, found, path));
                }
                (Some(shape), one) => self.template(shape, one, found, path),
            }
        }
        for path in find.has.iter().chain(find.leaving.keys()) {
            if self.at(candidate, path).is_none() {
                self.say(format!("a candidate has no {path}"));
            }
        }
        if !find.leaving.is_empty() && !find.gone_is_done {
            self.say("only what is removed is on its way out");
        }
        if let Some(path) = &find.created
            && self.at(candidate, path).is_none_or(|shape| shape.kind != ShapeKind::Timestamp)
        {
            self.say(format!("{path} is no time of a candidate"));
        }
        if let Some(creator) = &find.creator
            && self.at(candidate, &creator.path).is_none()
        {
            self.say(format!("a candidate has no {}", creator.path));
        }
        if let Some(path) = &find.id
            && self.at(candidate, path).is_none()
        {
            self.say(format!("a candidate has no {path}"));
        }
        let proven = find.created.is_some() || find.gone_is_done;
        if proven && find.unproven {
            self.say("what is proven needs nobody to decide");
        }
        self.codes(read, &find.none_on);
        self.adopted(find, candidate, found);
    }

    fn adopted(&mut self, find: &Finder, candidate: &'static Shape, found: Roots) {
        let mut whole = candidate;
        if let Some(then) = &find.then
            && let Some(read) = self.read(&then.operation)
        {
            self.call(read, &then.input, found);
            whole = self.model.output_shape(read).unwrap();
        }
        let Some(wanted) = self.output() else {
            if find
                .output
                .as_ref()
                .is_none_or(|output| output != &Value::Object(serde_json::Map::new()))
            {
                self.say("the operation answers nothing");
            }
            return;
        };
        match &find.output {
            Some(Value::Object(members)) => {
                let found = Roots { found: Some(whole), ..found };
                for (name, template) in members {
                    match self.at(wanted, name) {
                        None => self.say(format!("the output has no {name}")),
                        Some(shape) => self.template(shape, template, found, name),
                    }
                }
            }
            Some(_) => self.say("the output is a map"),
            None => {
                for name in &wanted.required {
                    if whole.member_named(name).is_none() {
                        self.say(format!("what is adopted has no {name}"));
                    }
                }
            }
        }
    }

    fn inverse(&mut self, inverse: &Inverse, before: Option<&'static Shape>) {
        let Some(back) = self.model.operation_by_script_name(&inverse.operation) else {
            self.say(format!("no operation {}", inverse.operation));
            return;
        };
        if !class(self.model, self.service, back).is_mutating() {
            self.say(format!("{} takes nothing back", inverse.operation));
        }
        let mut roots = Roots { output: self.output(), before, ..self.called() };
        roots.found = inverse.each.as_ref().and_then(|each| self.look(each, roots));
        self.call(back, &inverse.input, roots);
        for member in &inverse.needs {
            if inverse.input.get(member).is_none() {
                self.say(format!("{} is not given {member}", inverse.operation));
            }
        }
        for (place, wanted) in &inverse.when {
            match self.place(place, roots) {
                None => self.say(format!("{place} is not there")),
                Some(shape) if !wanted.is_null() => self.template(shape, wanted, roots, place),
                Some(_) => {}
            }
        }
    }

    fn states(&mut self, states: &States) {
        let Some(read) = self.read(&states.read) else { return };
        let roots = Roots { output: self.output(), ..self.called() };
        self.call(read, &states.input, roots);
        self.codes(read, &states.gone);
        if states.ok.is_empty() && states.gone.is_empty() {
            self.say("nothing ends the wait");
        }
        let answer = self.model.output_shape(read).unwrap();
        let Some(shape) = self.at(answer, &states.path) else {
            self.say(format!("{} has no {}", states.read, states.path));
            return;
        };
        for path in states.again.keys() {
            if self.at(answer, path).is_none() {
                self.say(format!("{} has no {path}", states.read));
            }
        }
        let all: Vec<&String> =
            states.ok.iter().chain(&states.progress).chain(&states.fail).collect();
        for (index, state) in all.iter().enumerate() {
            if all[..index].contains(state) {
                self.say(format!("the state {state} is there twice"));
            }
            if !shape.enumeration.is_empty() && !shape.enumeration.contains(state) {
                self.say(format!("no state {state}: {}", shape.enumeration.join(", ")));
            }
        }
    }

    fn codes(&mut self, read: &Operation, codes: &[String]) {
        for code in codes {
            let is_known = read.errors.iter().any(|error| {
                let details = self.model.shape(&error.shape).error.as_ref();
                let wire = details.and_then(|error| error.code.as_ref());
                error.shape == *code || wire == Some(code)
            });
            if !is_known {
                self.say(format!("{} has no error {code}", read.script_name()));
            }
        }
    }

    /// The template of a call's whole input.
    fn call(&mut self, operation: &Operation, template: &Value, roots: Roots) {
        match self.model.input_shape(operation) {
            Some(shape) => self.template(shape, template, roots, &operation.script_name()),
            None if template.as_object().is_some_and(serde_json::Map::is_empty) => {}
            None => self.say(format!("{} takes nothing", operation.script_name())),
        }
    }

    fn template(&mut self, shape: &'static Shape, template: &Value, roots: Roots, path: &str) {
        match template {
            Value::String(text) if text.starts_with('$') => match self.place(text, roots) {
                None => self.say(format!("{path}: {text} is not there")),
                Some(source) if !same_kind(source, shape) => {
                    self.say(format!("{path}: {text} is {:?}, not {:?}", source.kind, shape.kind));
                }
                Some(_) => {}
            },
            Value::String(text) => {
                let is_listed = shape.enumeration.is_empty() || shape.enumeration.contains(text);
                if shape.kind != ShapeKind::String || !is_listed {
                    self.say(format!("{path}: `{text}` is no value of it"));
                }
            }
            Value::Object(members) if is_function(members) => {
                self.function(members, roots, path);
            }
            Value::Object(members) => {
                for name in &shape.required {
                    let is_token = shape.member_named(name).is_some_and(|it| it.idempotency_token);
                    if !members.contains_key(name) && !is_token {
                        self.say(format!("{path}: {name} is missing"));
                    }
                }
                for (name, member) in members {
                    match shape.member_named(name) {
                        None => self.say(format!("{path}: no member {name}")),
                        Some(it) => {
                            let path = format!("{path}.{name}");
                            self.template(self.model.shape(&it.shape), member, roots, &path);
                        }
                    }
                }
            }
            Value::Array(items) => {
                let element = shape.member.as_ref().map(|it| self.model.shape(&it.shape));
                for item in items {
                    match element {
                        None => self.say(format!("{path} is no list")),
                        Some(element) => self.template(element, item, roots, path),
                    }
                }
            }
            Value::Bool(_) if shape.kind == ShapeKind::Boolean => {}
            Value::Number(_) if matches!(shape.kind, ShapeKind::Integer | ShapeKind::Long) => {}
            other => self.say(format!("{path}: {other} is no value of it")),
        }
    }

    /// A function of places: the places have to be there.
    fn function(&mut self, members: &serde_json::Map<String, Value>, roots: Roots, path: &str) {
        for argument in members.values() {
            for place in catalogue::places(argument).into_iter().filter(|it| it.contains('.')) {
                if self.place(place, roots).is_none() {
                    self.say(format!("{path}: {place} is not there"));
                }
            }
        }
    }

    fn place(&self, text: &str, roots: Roots) -> Option<&'static Shape> {
        let (root, path) = text.split_once('.').unwrap_or((text, ""));
        let shape = match root {
            "$input" => roots.input?,
            "$output" => roots.output?,
            "$before" => roots.before?,
            "$found" => roots.found?,
            _ => return None,
        };
        self.at(shape, path)
    }

    /// The shape at a dotted path.
    fn at(&self, shape: &'static Shape, path: &str) -> Option<&'static Shape> {
        path.split('.').filter(|name| !name.is_empty()).try_fold(shape, |shape, name| {
            let member = match shape.kind {
                ShapeKind::List => {
                    name.parse::<usize>().ok()?;
                    shape.member.as_ref()?
                }
                _ => shape.member_named(name)?,
            };
            Some(self.model.shape(&member.shape))
        })
    }
}

fn is_function(members: &serde_json::Map<String, Value>) -> bool {
    const NAMES: [&str; 4] = ["$decoded", "$added", "$replaced", "$without"];
    members.len() == 1 && members.keys().all(|name| NAMES.contains(&name.as_str()))
}

fn same_kind(left: &Shape, right: &Shape) -> bool {
    let members = |shape: &Shape| -> Vec<String> {
        shape.members.0.iter().map(|(name, _)| name.clone()).collect()
    };
    left.kind == right.kind
        && (left.kind != ShapeKind::Structure
            || members(left).iter().any(|name| members(right).contains(name)))
}
