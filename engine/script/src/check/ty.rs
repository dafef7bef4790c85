//! What is known of a value without running anything: its type, its members, sometimes itself.

use std::collections::BTreeMap;
use std::rc::Rc;

use piton_models::{Model, ShapeKind};
use rhai::Position;
use serde_json::Value;

/// More alternatives than that are no knowledge.
const MOST_ALTERNATIVES: usize = 24;
/// More maps than that are taken as one with the members of all.
const MOST_MAPS: usize = 4;

/// A position in one of the program's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) file: usize,
    pub(super) position: Position,
}

/// Values of more parts than that are taken as unknown.
const MOST_PARTS: usize = 4_000;
/// And so are values that are nested deeper.
const DEEPEST_PARTS: usize = 40;

/// What is known of a value.
///
/// `Eq` is more than a marker here: for such types the standard library takes two pointers to the
/// same part as equal without looking inside, and most comparisons are of parts that did not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ty {
    /// Nothing is known.
    Any,
    /// There is no value: the expression does not return.
    Never,
    Unit,
    /// A text, number or boolean, and where it is written when it is a literal.
    Scalar(Kind, Option<Rc<Constant>>),
    /// One of the choices of a parameter.
    Choice(Rc<Choices>),
    /// A part of what AWS answers.
    Shape(Shaped),
    /// A list by its elements, with their number where it is written out.
    List(Rc<Self>, Option<Count>),
    Map(Rc<Record>),
    Account,
    /// A client by its service.
    Client(&'static str),
    Params,
    Closure(Rc<Closure>),
    /// One of several.
    OneOf(Rc<Vec<Self>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Float,
    Bool,
}

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constant {
    pub(super) value: Value,
    pub(super) spot: Spot,
}

/// How many elements a list has, and where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) elements: usize,
    pub(super) spot: Spot,
}

/// The choices of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choices {
    pub(super) param: String,
    pub(super) values: Vec<Value>,
}

/// A shape of a service model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shaped {
    pub(super) model: &'static Model,
    pub(super) name: &'static str,
}

impl PartialEq for Shaped {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && std::ptr::eq(self.model, other.model)
    }
}

impl Eq for Shaped {}

/// A map that the script made, or one that the language gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    pub(super) members: BTreeMap<String, Field>,
    /// What members of other names hold; nothing when there are no others.
    pub(super) rest: Option<Ty>,
    /// The language gives it: its members are written nowhere, and there are never more of them.
    pub(super) is_given: bool,
}

/// A member of a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) ty: Ty,
    /// Where its name is written.
    pub(super) spot: Spot,
}

/// A closure with what it captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closure {
    /// Index of its function.
    pub(super) function: usize,
    /// Captured variables as they were.
    pub(super) captured: Vec<(String, Ty)>,
    /// The call in which it was made.
    pub(super) frame: usize,
}

impl Ty {
    pub(super) const TEXT: Self = Self::Scalar(Kind::Text, None);
    pub(super) const INT: Self = Self::Scalar(Kind::Int, None);
    pub(super) const BOOL: Self = Self::Scalar(Kind::Bool, None);

    pub(super) fn list(item: Self) -> Self {
        Self::List(Rc::new(item), None)
    }

    pub(super) fn map(record: Record) -> Self {
        Self::Map(Rc::new(record))
    }

    /// The same; of a list, its length is not known any more.
    pub(super) fn uncounted(&self) -> Self {
        match self {
            Self::List(item, _) => Self::List(Rc::clone(item), None),
            other => other.clone(),
        }
    }

    /// A map of which nothing is known.
    pub(super) fn any_map() -> Self {
        Self::map(Record { rest: Some(Self::Any), ..Record::default() })
    }

    pub(super) fn constant(value: Value, spot: Spot) -> Self {
        let kind = match &value {
            Value::String(_) => Kind::Text,
            Value::Bool(_) => Kind::Bool,
            Value::Number(number) if number.is_f64() => Kind::Float,
            Value::Number(_) => Kind::Int,
            _ => return Self::Any,
        };
        Self::Scalar(kind, Some(Rc::new(Constant { value, spot })))
    }

    /// A part of an answer. What a script can do with it tells more than its shape for plain values.
    pub(super) fn shape(model: &'static Model, name: &'static str) -> Self {
        let shape = model.shape(name);
        if shape.document {
            return Self::Any;
        }
        match shape.kind {
            ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => Self::INT,
            ShapeKind::Boolean => Self::BOOL,
            ShapeKind::Float
            | ShapeKind::Double
            | ShapeKind::BigDecimal
            | ShapeKind::Blob
            | ShapeKind::Timestamp => Self::Any,
            _ => Self::Shape(Shaped { model, name }),
        }
    }

    /// The same, unless it has grown beyond all measure, as what is put into itself again and again;
    /// with the number of its parts.
    pub(super) fn measured(self) -> (Self, usize) {
        let mut left = MOST_PARTS;
        let fits = self.takes_of(&mut left, DEEPEST_PARTS);
        (if fits { self } else { Self::Any }, MOST_PARTS - left)
    }

    /// The number of its parts, as far as that counts.
    pub(super) fn parts(&self) -> usize {
        let mut left = MOST_PARTS;
        self.takes_of(&mut left, DEEPEST_PARTS);
        MOST_PARTS - left
    }

    /// Takes its parts off a number; false when that was not enough.
    fn takes_of(&self, left: &mut usize, depth: usize) -> bool {
        let (Some(rest), Some(depth)) = (left.checked_sub(1), depth.checked_sub(1)) else {
            return false;
        };
        *left = rest;
        match self {
            Self::List(item, _) => item.takes_of(left, depth),
            Self::Map(record) => {
                record.members.values().all(|field| field.ty.takes_of(left, depth))
                    && record.rest.as_ref().is_none_or(|rest| rest.takes_of(left, depth))
            }
            Self::Closure(closure) => {
                closure.captured.iter().all(|(_, ty)| ty.takes_of(left, depth))
            }
            Self::OneOf(all) => all.iter().all(|one| one.takes_of(left, depth)),
            _ => true,
        }
    }

    /// The literal, when it is one.
    pub(super) fn literal(&self) -> Option<&Constant> {
        match self {
            Self::Scalar(_, constant) => constant.as_deref(),
            _ => None,
        }
    }

    /// The text of a literal.
    pub(super) fn literal_text(&self) -> Option<&str> {
        self.literal().and_then(|constant| constant.value.as_str())
    }

    /// Whether a condition is known.
    pub(super) fn truth(&self) -> Option<bool> {
        self.literal().and_then(|constant| constant.value.as_bool())
    }

    /// The possible values, one by one.
    pub(super) fn alternatives(&self) -> &[Self] {
        match self {
            Self::OneOf(all) => all,
            one => std::slice::from_ref(one),
        }
    }

    /// Either of two.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        match (self, other) {
            (Self::Never, known) | (known, Self::Never) => known,
            (Self::List(left, count), Self::List(right, other)) => {
                let item = (*left).clone().or((*right).clone());
                Self::List(Rc::new(item), count.filter(|_| count == other))
            }
            (left, right) => Self::one_of(&left, &right),
        }
    }

    fn one_of(left: &Self, right: &Self) -> Self {
        let mut all: Vec<Self> = left.alternatives().to_vec();
        for further in right.alternatives() {
            if all.contains(further) {
                continue;
            }
            if let Self::List(item, count) = further
                && let Some(Self::List(known, known_count)) =
                    all.iter_mut().find(|known| matches!(known, Self::List(..)))
            {
                *known = Rc::new((**known).clone().or((**item).clone()));
                *known_count = known_count.filter(|_| known_count == count);
                continue;
            }
            all.push(further.clone());
        }
        if all.iter().filter(|one| matches!(one, Self::Map(_))).count() > MOST_MAPS {
            all = with_one_map(&all);
        }
        match all.len() {
            0 => Self::Never,
            1 => all.remove(0),
            count if count > MOST_ALTERNATIVES => Self::Any,
            _ => Self::OneOf(Rc::new(all)),
        }
    }

    /// Either of many; nothing makes [`Ty::Never`].
    pub(super) fn any_of(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Never, Self::or)
    }

    /// After a loop that changed it: where any text is possible, a text that was there before the
    /// first round tells nothing.
    pub(super) fn settle(&mut self) {
        if let Self::Map(record) = self {
            let mut settled = Record::clone(record);
            settled.members.values_mut().for_each(|field| field.ty.settle());
            *self = Self::map(settled);
        }
        let Self::OneOf(all) = self else { return };
        let is_open = |kind: Kind| {
            all.iter().any(|one| *one == Self::Any || *one == Self::Scalar(kind, None))
        };
        let stays = |one: &&Self| !matches!(one, Self::Scalar(kind, Some(_)) if is_open(*kind));
        let left: Vec<Self> = all.iter().filter(stays).cloned().collect();
        let maps = left.iter().filter(|one| matches!(one, Self::Map(_))).count();
        let mut left = if maps > 1 { with_one_map(&left) } else { left };
        left.iter_mut().filter(|one| matches!(one, Self::Map(_))).for_each(Self::settle);
        *self = Self::any_of(left);
    }

    /// What one of several members is, by a name that is not known: nothing, where they differ.
    fn alike(self) -> Self {
        let is_map = |one: &Self| matches!(one, Self::Map(_) | Self::Unit);
        match &self {
            Self::OneOf(all) if !all.iter().all(is_map) => Self::Any,
            Self::Scalar(kind, Some(_)) => Self::Scalar(*kind, None),
            _ => self,
        }
    }

    /// Whether the value can be `()`: false only where that is certain.
    pub(super) fn may_be_unit(&self) -> bool {
        match self {
            // Numbers and booleans of an answer may be absent, like its maps.
            Self::Any | Self::Unit | Self::Shape(_) | Self::Choice(_) | Self::Scalar(_, None) => {
                true
            }
            Self::OneOf(all) => all.iter().any(Self::may_be_unit),
            _ => false,
        }
    }

    /// What a loop gets of it.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::List(item, _) => (**item).clone(),
            Self::Shape(Shaped { model, name }) => match &model.shape(name).member {
                Some(member) => Self::shape(model, &member.shape),
                None => Self::Any,
            },
            Self::Never | Self::Unit => Self::Never,
            Self::OneOf(all) => Self::any_of(all.iter().map(Self::element)),
            _ => Self::Any,
        }
    }

    /// The structure of an answer as a map of its members.
    pub(super) fn as_record(&self, spot: Spot) -> Option<Record> {
        match self {
            Self::Map(record) => Some((**record).clone()),
            Self::Shape(Shaped { model, name }) => {
                let shape = model.shape(name);
                if shape.kind != ShapeKind::Structure {
                    return None;
                }
                let members = shape.members.0.iter().map(|(name, member)| {
                    (name.clone(), Field { ty: Self::shape(model, &member.shape), spot })
                });
                Some(Record { members: members.collect(), ..Record::default() })
            }
            _ => None,
        }
    }

    /// The enumeration that a text is of, with the shape's name.
    pub(super) fn enumeration(&self) -> Option<(&'static [String], &'static str)> {
        match self {
            Self::Shape(Shaped { model, name }) => {
                let values = &model.shape(name).enumeration;
                (!values.is_empty()).then_some((values.as_slice(), *name))
            }
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Self::Scalar(Kind::Text, _) | Self::Choice(_) => "a text",
            Self::Scalar(Kind::Bool, _) => "a boolean",
            Self::Scalar(..) => "a number",
            Self::List(..) => "a list",
            Self::Map(_) => "a map",
            Self::Closure(_) => "a closure",
            Self::Account => "an account",
            Self::Client(_) => "a client",
            Self::Unit => "nothing",
            Self::Shape(Shaped { model, name }) => match model.shape(name).kind {
                ShapeKind::List => "a list",
                ShapeKind::Structure | ShapeKind::Map => "a map",
                _ => "a text",
            },
            _ => "something",
        }
    }
}

/// The alternatives with all maps taken as one.
fn with_one_map(all: &[Ty]) -> Vec<Ty> {
    let maps = all.iter().filter_map(|one| match one {
        Ty::Map(record) => Some(&**record),
        _ => None,
    });
    let one = maps.cloned().reduce(|left, right| left.or(&right)).unwrap_or_default();
    let others = all.iter().filter(|one| !matches!(one, Ty::Map(_))).cloned();
    others.chain([Ty::map(one)]).collect()
}

impl Record {
    /// A map that the language gives.
    pub(super) fn given<'a>(members: impl IntoIterator<Item = (&'a str, Ty)>, file: usize) -> Self {
        let spot = Spot { file, position: Position::NONE };
        let members = members.into_iter().map(|(name, ty)| (name.to_owned(), Field { ty, spot }));
        Self { members: members.collect(), rest: None, is_given: true }
    }

    /// One map that stands for either of two.
    fn or(&self, other: &Self) -> Self {
        let is_given = self.is_given && other.is_given;
        let mut all = Self { is_given, ..Self::default() };
        for (name, field) in self.members.iter().chain(&other.members) {
            if all.members.contains_key(name) {
                continue;
            }
            let either = |record: &Self| record.get(name).unwrap_or(Ty::Unit);
            let ty = either(self).or(either(other));
            all.members.insert(name.clone(), Field { ty, spot: field.spot });
        }
        all.rest = match (&self.rest, &other.rest) {
            (Some(left), Some(right)) => Some(left.clone().or(right.clone())),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        all
    }

    /// What a member holds: nothing when there is no such member.
    pub(super) fn get(&self, name: &str) -> Option<Ty> {
        match (self.members.get(name), &self.rest) {
            (Some(field), _) => Some(field.ty.clone()),
            (None, Some(rest)) => Some(rest.clone()),
            (None, None) => None,
        }
    }

    /// Both, with what the second has in the place of what the first has.
    pub(super) fn merged(&self, with: &Self) -> Self {
        let mut all = Self { is_given: self.is_given && with.is_given, ..self.clone() };
        for (name, field) in &with.members {
            all.members.insert(name.clone(), field.clone());
        }
        if let Some(rest) = &with.rest {
            // What is not known of the second may be any member of the first.
            for (name, field) in &mut all.members {
                if !with.members.contains_key(name) {
                    field.ty = field.ty.clone().or(rest.clone());
                }
            }
            all.rest = Some(all.rest.map_or_else(|| rest.clone(), |own| own.or(rest.clone())));
        }
        all
    }

    /// What any member may hold.
    pub(super) fn everything(&self) -> Ty {
        let own = self.members.values().map(|field| field.ty.clone());
        Ty::any_of(own.chain(self.rest.clone())).alike()
    }
}
