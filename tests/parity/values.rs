//! Inputs and outputs made from a service model, as runbooks write them: members by wire name, times
//! as RFC 3339 text, bytes as base64.
//!
//! What is made satisfies the model: required members, enums, patterns, lengths, ranges, one member of
//! a union. Members that the SDK's crate lacks are left alone. What is done with the values is left to
//! others.

use std::collections::{BTreeMap, BTreeSet};

use piton_core::time::Timestamp;
use piton_models::{Location, Member, Model, Operation, Protocol, Shape, ShapeKind};
use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::pattern;

/// How much of a shape is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Required members alone.
    Required,
    /// Every member.
    Every,
    /// Members by chance.
    Some,
}

/// Which of an operation's structures is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

/// A structure's member, by the structure's shape and the member's name.
pub(super) type Spot<'a> = (&'a str, &'a str);

/// Below this, everything is as small as the model allows.
const DEEPEST: usize = 12;

/// Times lie between 2001 and 2033: whole seconds that every format can say.
const FIRST_SECOND: usize = 1_000_000_000;

/// Texts for patterns with look-around, by shape.
const SAMPLES: &[(&str, &str)] = &[
    ("AssetTypeFormKey", "_form1"),
    ("AssetTypeIdentifier", "asset_type.v1"),
    ("AssetTypeName", "SalesAsset"),
    ("CatalogNameString", "sales catalog"),
    ("CustomDomainName", "data.example.com"),
    ("CustomDomainNameString", "data.example.com"),
    ("FormName", "SalesForm"),
    ("FormTypeIdentifier", "sales_form.v1"),
    ("FormTypeName", "amazon.datazone.SalesForm"),
    ("NotebookName", "notes of m\u{e4}rz"),
    ("accountAliasType", "data-platform"),
];

/// Makes the values of one operation's input or output.
pub(super) struct Values<'a> {
    model: &'a Model,
    operation: &'a Operation,
    side: Side,
    left_out: &'static [&'static str],
    /// How deep a shape is at least.
    floors: BTreeMap<&'a str, usize>,
    /// What lies below a shape.
    below: BTreeMap<&'a str, BTreeSet<Spot<'a>>>,
    /// Members that were made so far.
    pub(super) made: BTreeSet<Spot<'a>>,
    fill: Fill,
    chance: Chance,
    open: Vec<&'a str>,
}

impl<'a> Values<'a> {
    pub(super) fn new(model: &'a Model, operation: &'a Operation, side: Side, seed: u64) -> Self {
        let purpose = match side {
            Side::Input => format!("{}.{}", model.script_name, operation.name),
            Side::Output => format!("{}.{} answers", model.script_name, operation.name),
        };
        Self {
            model,
            operation,
            side,
            left_out: piton_aws::left_out(&model.script_name),
            floors: floors(model),
            below: BTreeMap::new(),
            made: BTreeSet::new(),
            fill: Fill::Required,
            chance: Chance::of(seed, &purpose),
            open: Vec::new(),
        }
    }

    fn root(&self) -> Option<&'a str> {
        let reference = match self.side {
            Side::Input => &self.operation.input,
            Side::Output => &self.operation.output,
        };
        reference.as_ref().map(|reference| reference.shape.as_str())
    }

    /// Every member that a value of this operation can have.
    pub(super) fn reachable(&mut self) -> BTreeSet<Spot<'a>> {
        self.root().map(|root| self.spots_below(root)).unwrap_or_default()
    }

    /// The next value.
    pub(super) fn next(&mut self, fill: Fill) -> Value {
        self.fill = fill;
        match self.root() {
            Some(root) => self.value(root, None),
            None => json!({}),
        }
    }

    fn spots_below(&mut self, name: &'a str) -> BTreeSet<Spot<'a>> {
        if let Some(known) = self.below.get(name) {
            return known.clone();
        }
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let shape = self.model.shape(name);
            for (member_name, member) in self.members(name) {
                found.insert((name, member_name));
                open.push(&member.shape);
            }
            open.extend(shape.member.iter().chain(&shape.value).map(|part| part.shape.as_str()));
        }
        self.below.insert(name, found.clone());
        found
    }

    /// The members that the crate has, too.
    fn members(&self, name: &'a str) -> Vec<(&'a str, &'a Member)> {
        let owner = if self.root() == Some(name) { self.operation.name.as_str() } else { name };
        let has = |member: &str| {
            let left_out = [owner, name].map(|owner| format!("{owner}.{member}"));
            !self
                .left_out
                .iter()
                .any(|out| left_out.iter().any(|ours| ours.eq_ignore_ascii_case(out)))
        };
        let members = &self.model.shape(name).members.0;
        members
            .iter()
            .filter(|(member, _)| has(member))
            .map(|(member_name, member)| (member_name.as_str(), member))
            .collect()
    }

    fn value(&mut self, name: &'a str, member: Option<&'a Member>) -> Value {
        let shape = self.model.shape(name);
        if shape.document {
            return json!({"text": "\u{e9} & <a>", "list": [1, 2.5, true], "map": {"a b": "c"}});
        }
        match shape.kind {
            ShapeKind::Structure | ShapeKind::List | ShapeKind::Map => {
                let tight = self.open.contains(&name) || self.open.len() >= DEEPEST;
                let before = self.fill;
                if tight {
                    self.fill = Fill::Required;
                }
                self.open.push(name);
                let value = match shape.kind {
                    ShapeKind::Structure if shape.union => self.union(name),
                    ShapeKind::Structure => self.structure(name, shape),
                    ShapeKind::List => self.list(shape),
                    _ => self.map(shape),
                };
                self.open.pop();
                self.fill = before;
                value
            }
            ShapeKind::String | ShapeKind::Character => Value::from(self.text(name, shape, member)),
            ShapeKind::Integer => self.integer(shape, i64::from(i32::MAX)),
            ShapeKind::Long | ShapeKind::BigInteger => self.integer(shape, i64::MAX),
            ShapeKind::Float => self.number(shape, &[0.25, -1.5, 3.0, 1024.5]),
            ShapeKind::Double | ShapeKind::BigDecimal => {
                self.number(shape, &[0.1, -1.5, 3.0, 1e-7, 1.5e21, 123_456.789])
            }
            ShapeKind::Boolean => Value::from(self.chance.below(2) == 0),
            ShapeKind::Blob => self.blob(shape, member.is_none_or(|one| one.location.is_none())),
            ShapeKind::Timestamp => self.time(shape, member),
        }
    }

    fn structure(&mut self, name: &'a str, shape: &'a Shape) -> Value {
        let mut map = Map::new();
        for (member_name, member) in self.members(name) {
            let wanted = shape.requires(member_name)
                || (self.side == Side::Input && member.idempotency_token)
                || match self.fill {
                    Fill::Required => false,
                    Fill::Every => true,
                    Fill::Some => self.chance.below(2) == 0,
                };
            if wanted {
                self.made.insert((name, member_name));
                map.insert(member_name.to_owned(), self.value(&member.shape, Some(member)));
            }
        }
        Value::Object(map)
    }

    fn union(&mut self, name: &'a str) -> Value {
        let members = self.members(name);
        let floor =
            |member: &Member| self.floors.get(member.shape.as_str()).copied().unwrap_or(usize::MAX);
        let (member_name, member) = match self.fill {
            Fill::Required => *members
                .iter()
                .min_by_key(|(_, member)| floor(member))
                .expect("a union has members"),
            Fill::Some => *self.chance.pick(&members),
            // What was not made yet, and else what leads there.
            Fill::Every => {
                let new = members.iter().find(|(member, _)| !self.made.contains(&(name, *member)));
                // A shape inside itself is as small as can be: it leads nowhere.
                let leads = |values: &mut Self, member: &'a Member| {
                    let below = values.spots_below(&member.shape);
                    below.iter().all(|(shape, _)| *shape != name)
                        && below.iter().any(|spot| !values.made.contains(spot))
                };
                match new {
                    Some(new) => *new,
                    None => match members.iter().find(|(_, member)| leads(self, member)) {
                        Some(leading) => *leading,
                        None => *self.chance.pick(&members),
                    },
                }
            }
        };
        self.made.insert((name, member_name));
        let value = self.value(&member.shape, Some(member));
        Value::Object(Map::from_iter([(member_name.to_owned(), value)]))
    }

    /// How many elements a list or map gets.
    fn count(&mut self, shape: &Shape) -> usize {
        let (low, high) = lengths(shape);
        let wanted = match self.fill {
            Fill::Required => 0,
            Fill::Every if self.open.len() <= 6 => 2,
            Fill::Every => 1,
            Fill::Some => self.chance.below(4),
        };
        wanted.clamp(low, high)
    }

    fn list(&mut self, shape: &'a Shape) -> Value {
        let member = shape.member.as_ref().expect("a list has elements");
        let count = self.count(shape);
        Value::Array((0..count).map(|_| self.value(&member.shape, Some(member))).collect())
    }

    fn map(&mut self, shape: &'a Shape) -> Value {
        let (key, item) = (shape.key.as_ref(), shape.value.as_ref());
        let (key, item) = key.zip(item).expect("a map has keys and values");
        let count = self.count(shape);
        let mut map = Map::new();
        // The same key may come twice by chance: a few more attempts than elements.
        for _ in 0..count * 4 {
            if map.len() == count {
                break;
            }
            let key_shape = self.model.shape(&key.shape);
            let key_text = self.text(&key.shape, key_shape, Some(key));
            map.insert(key_text, self.value(&item.shape, Some(item)));
        }
        Value::Object(map)
    }

    fn text(&mut self, name: &str, shape: &Shape, member: Option<&Member>) -> String {
        if !shape.enumeration.is_empty() {
            return self.chance.pick(&shape.enumeration).clone();
        }
        let location = member.and_then(|member| member.location);
        let (mut low, high) = lengths(shape);
        if matches!(location, Some(Location::Uri | Location::Header)) {
            low = low.max(1);
        }
        // Clients fold `.` and `..` out of a path before it is sent.
        let is_dots = |text: &str| !text.is_empty() && text.chars().all(|one| one == '.');
        let Some(pattern) = shape.pattern.as_deref() else {
            return self.free_text(location, low, high);
        };
        let accepts = |text: &str| {
            !is_dots(text) && shape.pattern_regex().is_none_or(|regex| regex.is_match(text))
        };
        if let Some(text) = pattern::text(pattern, (low, high), &mut self.chance, &accepts) {
            return text;
        }
        let sample = SAMPLES.iter().find(|(shape, _)| *shape == name);
        let (_, sample) = sample.unwrap_or_else(|| panic!("no text for {name}: {pattern}"));
        (*sample).to_owned()
    }

    /// Text that nothing restricts: what encodings get wrong, where the place allows it.
    fn free_text(&mut self, location: Option<Location>, low: usize, high: usize) -> String {
        let plain = "abcdefXYZ0189-_";
        let alphabet: Vec<char> = match location {
            Some(Location::Header | Location::Headers) => plain.chars().collect(),
            Some(_) => pattern::AWKWARD.chars().collect(),
            None => pattern::AWKWARD.chars().chain(['\n', '\t']).collect(),
        };
        let length = self.chance.between(1, 14).clamp(low, high);
        let first = plain.chars().next().into_iter().filter(|_| length > 0);
        let rest = (1..length).map(|_| *self.chance.pick(&alphabet));
        first.chain(rest).collect()
    }

    fn integer(&mut self, shape: &Shape, largest: i64) -> Value {
        #[expect(clippy::cast_possible_truncation, reason = "the models' bounds are whole numbers")]
        let bound = |bound: Option<f64>| bound.map(|bound| bound as i64);
        let low = bound(shape.min).unwrap_or(-5);
        let high = bound(shape.max).unwrap_or(largest).min(largest).max(low);
        let some =
            low.saturating_add(i64::try_from(self.chance.below(1000)).unwrap_or(0)).min(high);
        Value::from(*self.chance.pick(&[low, high, some, some]))
    }

    fn number(&mut self, shape: &Shape, among: &[f64]) -> Value {
        let (low, high) = (shape.min.unwrap_or(f64::MIN), shape.max.unwrap_or(f64::MAX));
        Value::from(self.chance.pick(among).clamp(low, high))
    }

    fn blob(&mut self, shape: &Shape, is_body: bool) -> Value {
        let (low, high) = lengths(shape);
        let low = if is_body { low.max(1) } else { low };
        let length = self.chance.between(1, 9).clamp(low, high);
        let bytes: Vec<u8> = (0..length).map(|_| self.chance.next().to_le_bytes()[0]).collect();
        Value::from(base64(&bytes))
    }

    fn time(&mut self, shape: &Shape, member: Option<&Member>) -> Value {
        let seconds = FIRST_SECOND + self.chance.below(FIRST_SECOND);
        let seconds = i64::try_from(seconds).expect("it is two thousand million at most");
        let in_header = member.is_some_and(|member| member.location.is_some());
        let is_text =
            shape.timestamp_format.is_some() || self.model.metadata.protocol() == Protocol::Query;
        // botocore drops the fraction of a time that it sends as a number, and an HTTP date has none.
        let fraction = !in_header && (self.side == Side::Output || is_text);
        let millis = if fraction { [0, 500, 123][self.chance.below(3)] } else { 0 };
        Value::from(Timestamp::from_millis(seconds * 1000 + millis).to_string())
    }
}

/// The least nesting of a valid value, by shape; nothing is said of shapes that only end by chance.
fn floors(model: &Model) -> BTreeMap<&str, usize> {
    let mut floors = BTreeMap::new();
    loop {
        let before = floors.len();
        for (name, shape) in &model.shapes {
            let of = |member: &Member| floors.get(member.shape.as_str()).copied();
            let floor = match shape.kind {
                ShapeKind::Structure if shape.union => {
                    shape.members.0.iter().filter_map(|(_, member)| of(member)).min()
                }
                ShapeKind::Structure => {
                    let needed = shape.members.0.iter().filter(|(name, _)| shape.requires(name));
                    let floors: Option<Vec<usize>> = needed.map(|(_, member)| of(member)).collect();
                    floors.map(|floors| floors.into_iter().max().unwrap_or(0))
                }
                ShapeKind::List | ShapeKind::Map if lengths(shape).0 > 0 => {
                    shape.member.as_deref().or(shape.value.as_deref()).and_then(of)
                }
                _ => Some(0),
            };
            if let Some(floor) = floor {
                floors.entry(name.as_str()).or_insert(floor + 1);
            }
        }
        if floors.len() == before {
            return floors;
        }
    }
}

/// Smallest and largest length that a shape allows.
fn lengths(shape: &Shape) -> (usize, usize) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "lengths in the models are small whole numbers"
    )]
    let bound = |bound: f64| bound as usize;
    (shape.min.map_or(0, bound), shape.max.map_or(usize::MAX, bound))
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (word >> (18 - 6 * position) & 63) as usize;
            text.push(if position <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    text
}
