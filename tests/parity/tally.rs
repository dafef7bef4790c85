//! What was compared, counted: differences by kind, those that are explained, members that were covered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compare::{self, Difference};
use super::ends::Outcome;
use super::{Case, Coverage, Subject, exceptions};

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// One of the two did not make the call.
    Refusal,
    /// What was sent.
    Request,
    /// What was made of the answer.
    Answer,
}

/// How often differences are told before they are only counted.
const TOLD: usize = 3;

#[derive(Default)]
pub(super) struct Tally {
    /// Operations by service.
    operations: BTreeMap<&'static str, usize>,
    cases: usize,
    members: [Coverage; 2],
    /// Members or operations that this release of boto3 does not have, with how often.
    skew: BTreeMap<String, usize>,
    /// How often each exception was met.
    explained: BTreeMap<&'static str, usize>,
    /// Unexplained ones by operation, part and path without positions: how many, and examples.
    unexplained: BTreeMap<(String, Part, String), (usize, Vec<String>)>,
}

impl Tally {
    pub(super) fn covers(&mut self, subject: Subject, coverage: [Coverage; 2]) {
        *self.operations.entry(subject.model.script_name.as_str()).or_default() += 1;
        for (sum, one) in self.members.iter_mut().zip(coverage) {
            sum.made += one.made;
            sum.possible += one.possible;
        }
    }

    /// Compares what came of one call.
    pub(super) fn add(&mut self, subject: Subject, case: &Case, ours: &Outcome, theirs: &Outcome) {
        if let Some(skew) = theirs.said["skew"].as_array() {
            let name = subject.name();
            for member in skew.iter().filter_map(Value::as_str) {
                *self.skew.entry(format!("{name}: {member}")).or_default() += 1;
            }
            return;
        }
        self.cases += 1;
        let failed = |side: &Outcome| side.said["error"].clone();
        if ours.requests.len() != 1 || theirs.requests.len() != 1 {
            let difference = Difference {
                path: format!("{} and {} requests", ours.requests.len(), theirs.requests.len()),
                piton: failed(ours),
                boto3: failed(theirs),
            };
            return self.differ(subject, case, Part::Refusal, &difference);
        }
        let [one, other] = [ours, theirs]
            .map(|side| compare::request(subject.model, subject.operation, &side.requests[0]));
        for difference in compare::differences(&one, &other) {
            self.differ(subject, case, Part::Request, &difference);
        }
        if !failed(ours).is_null() || !failed(theirs).is_null() {
            let difference =
                Difference { path: "error".to_owned(), piton: failed(ours), boto3: failed(theirs) };
            return self.differ(subject, case, Part::Answer, &difference);
        }
        for difference in compare::differences(&ours.said["output"], &theirs.said["output"]) {
            self.differ(subject, case, Part::Answer, &difference);
        }
    }

    fn differ(&mut self, subject: Subject, case: &Case, part: Part, difference: &Difference) {
        if let Some(reason) = exceptions::reason(subject, part, difference) {
            *self.explained.entry(reason).or_default() += 1;
            return;
        }
        let Difference { path, piton, boto3 } = difference;
        let is_name = |segment: &&str| segment.parse::<usize>().is_err();
        let place = path.split('/').filter(is_name).collect::<Vec<_>>().join("/");
        let (count, examples) = self.unexplained.entry((subject.name(), part, place)).or_default();
        *count += 1;
        if examples.len() < TOLD {
            let text = format!("{}: {path}: Piton {piton}, boto3 {boto3}", case.kind);
            examples.push(text.chars().take(600).collect());
        }
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.cases += other.cases;
        for (service, count) in other.operations {
            *self.operations.entry(service).or_default() += count;
        }
        for (sum, one) in self.members.iter_mut().zip(other.members) {
            sum.made += one.made;
            sum.possible += one.possible;
        }
        for (name, count) in other.skew {
            *self.skew.entry(name).or_default() += count;
        }
        for (reason, count) in other.explained {
            *self.explained.entry(reason).or_default() += count;
        }
        for (place, (count, examples)) in other.unexplained {
            let (sum, all) = self.unexplained.entry(place).or_default();
            *sum += count;
            all.extend(examples);
        }
        self
    }

    /// The counts, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let operations: usize = self.operations.values().sum();
        let by_service: Vec<String> =
            self.operations.iter().map(|(service, count)| format!("{service} {count}")).collect();
        let [inputs, outputs] = self.members;
        let of = |part: Part| {
            let places = self.unexplained.iter().filter(|((_, found, _), _)| *found == part);
            places.map(|(_, (count, _))| count).sum::<usize>()
        };
        let mut lines = vec![
            format!("{operations} operations ({}), {} calls", by_service.join(", "), self.cases),
            format!(
                "members sent {} of {}, members answered {} of {}",
                inputs.made, inputs.possible, outputs.made, outputs.possible
            ),
            format!(
                "unexplained differences: {} refusals, {} in requests, {} in answers",
                of(Part::Refusal),
                of(Part::Request),
                of(Part::Answer)
            ),
        ];
        for (reason, count) in &self.explained {
            lines.push(format!("explained {count} times: {reason}"));
        }
        for (name, count) in &self.skew {
            lines.push(format!("not in this boto3, {count} times: {name}"));
        }
        lines
    }

    /// Whether a difference of this kind was met.
    pub(super) fn met(&self, reason: &str) -> bool {
        self.explained.contains_key(reason)
    }

    /// What nobody explained.
    pub(super) fn differences(&self) -> Vec<String> {
        let told = |((name, part, place), (count, examples)): (
            &(String, Part, String),
            &(usize, Vec<String>),
        )| {
            format!("{name}: {part:?} {place}: {count} times\n    {}", examples.join("\n    "))
        };
        self.unexplained.iter().map(told).collect()
    }
}
