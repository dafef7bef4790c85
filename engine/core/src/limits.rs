//! How large what a journal keeps may become. Where a bound is met, and what is said then, is the
//! driver's; a journal that takes less says so itself (`Journal::bounds`).

use serde_json::{Value, json};

use crate::canonical::Digest;

/// The most bytes of one value as stored JSON: an input, an answer, a note, an output, an artifact,
/// what a gate shows.
pub const VALUE_BYTES: usize = 16 << 20;

/// The member that stands for what was too large to be kept. A script's own map may have it too;
/// then it reads as what it is: a value that is not there.
pub const LEFT_OUT: &str = "$too_large";

/// The most that a member of an answer keeps when the whole answer is too large.
const MEMBER_BYTES: usize = 4 << 10;

/// How large the journal of one run may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries.
    pub entries: u64,
    /// Bytes of the entries' stored texts.
    pub bytes: u64,
    /// Bytes of one value.
    pub value: usize,
}

impl Bounds {
    /// What an embedded journal takes.
    pub const DEFAULT: Self = Self { entries: 2_000_000, bytes: 1 << 30, value: VALUE_BYTES };

    /// How full a run's journal is.
    pub fn fill(&self, entries: u64, bytes: u64) -> Fill {
        // Four fifths, in whole numbers.
        let is_near = |have: u64, bound: u64| have / 4 >= bound / 5;
        if entries >= self.entries || bytes >= self.bytes {
            Fill::Full
        } else if is_near(entries, self.entries) || is_near(bytes, self.bytes) {
            Fill::Near
        } else {
            Fill::Fine
        }
    }

    /// Both bounds and how far a run is, for people.
    pub fn words(&self, entries: u64, bytes: u64) -> String {
        format!(
            "it has {entries} entries of at most {}, and {} MiB of at most {}",
            self.entries,
            bytes >> 20,
            self.bytes >> 20
        )
    }
}

/// About how many bytes a value takes as stored JSON: exact but for escapes and numbers, and much
/// cheaper than writing it.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>()
        }
    }
}

/// How full a run's journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// There is room.
    Fine,
    /// Four fifths are used.
    Near,
    /// Nothing new may begin.
    Full,
}

/// What is kept of an answer that is too large: its small members, and a digest of each large one.
/// That the call was made, and the ids of what it made, are then not lost.
pub fn shortened(answer: &Value) -> Value {
    let Value::Object(members) = answer else { return left_out(answer) };
    let short = |value: &Value| match size(value) > MEMBER_BYTES {
        true => match value {
            // One level more: answers often have everything below one member.
            Value::Object(inner) => Value::Object(
                inner.iter().map(|(name, value)| (name.clone(), kept(value))).collect(),
            ),
            other => left_out(other),
        },
        false => value.clone(),
    };
    Value::Object(members.iter().map(|(name, value)| (name.clone(), short(value))).collect())
}

/// Whether something of an answer was left out by [`shortened`].
pub fn is_shortened(answer: &Value) -> bool {
    let is_marker = |value: &Value| {
        value.as_object().is_some_and(|members| {
            members.len() == 1 && members.get(LEFT_OUT).is_some_and(Value::is_object)
        })
    };
    let below =
        |value: &Value| value.as_object().is_some_and(|inner| inner.values().any(is_marker));
    is_marker(answer)
        || answer
            .as_object()
            .is_some_and(|members| members.values().any(|value| is_marker(value) || below(value)))
}

fn kept(value: &Value) -> Value {
    if size(value) > MEMBER_BYTES { left_out(value) } else { value.clone() }
}

fn left_out(value: &Value) -> Value {
    let text = value.to_string();
    json!({ LEFT_OUT: { "bytes": text.len(), "digest": Digest::of(text.as_bytes()) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_near_its_bound_at_four_fifths_of_either() {
        let bounds = Bounds { entries: 100, bytes: 1000, value: 10 };
        for (entries, bytes, fill) in [
            (0, 0, Fill::Fine),
            (79, 799, Fill::Fine),
            (80, 0, Fill::Near),
            (0, 800, Fill::Near),
            (99, 999, Fill::Near),
            (100, 0, Fill::Full),
            (0, 1000, Fill::Full),
        ] {
            assert_eq!(bounds.fill(entries, bytes), fill, "{entries} {bytes}");
        }
        assert_eq!(Bounds::DEFAULT.fill(1_000_000, 0), Fill::Fine);
    }

    #[test]
    fn of_an_answer_that_is_too_large_the_ids_stay() {
        let large = "x".repeat(MEMBER_BYTES + 1);
        let answer = json!({
            "Id": "a-1", "Rows": [large], "Thing": { "Arn": "arn:1", "Policy": large },
        });
        let short = shortened(&answer);
        assert_eq!(short["Id"], "a-1");
        assert_eq!(short["Thing"]["Arn"], "arn:1");
        assert_eq!(short["Thing"]["Policy"][LEFT_OUT]["bytes"], MEMBER_BYTES + 3);
        assert!(short.to_string().len() < 1000, "{short}");
        assert!(is_shortened(&short) && !is_shortened(&answer));
        assert!(is_shortened(&shortened(&json!([large]))));
        // Nothing to leave out is left out.
        assert_eq!(shortened(&json!({ "Id": "a-1" })), json!({ "Id": "a-1" }));
    }
}
