//! Effects into what takes them back, in the order in which that is possible.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ledger::{Effect, Ledger};
use super::things::KnownThing;
use super::words;
use crate::account::{AccountRef, Derivation};
use crate::canonical;
use crate::catalogue::{self, Inverse, Recorded, Reviewed, States, part};
use crate::entry::Read;
use crate::key::Key;
use crate::ports::RunId;
use crate::secret;

/// What takes a run back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The run that is taken back.
    pub source: RunId,
    /// Its runbook.
    pub runbook: String,
    /// What is taken back, in order.
    pub items: Vec<Item>,
    /// What stays as it is, and why.
    pub stays: Vec<Stay>,
}

/// One effect and what takes it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Key of the call.
    pub key: Key,
    /// Position of its intent.
    pub seq: u64,
    /// What it made or changed, for people.
    pub what: String,
    /// The call, `datazone.create_project`.
    pub made_by: String,
    /// Account that it was sent as.
    pub account: AccountRef,
    /// The script said what takes it back.
    pub by_script: bool,
    /// The calls that take it back, in order.
    pub calls: Vec<Back>,
    /// The thing it is about, as the run knew it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thing: Option<KnownThing>,
    /// The states of the call itself: what is still on its way cannot be taken back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<States>,
    /// What is left even when it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remains: Option<String>,
}

/// A call that takes something back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Back {
    /// Script's name of the service.
    pub service: String,
    /// Account it is sent as.
    pub account: AccountRef,
    /// Operation and input; the places of `$found` are filled in when it is known what was found.
    pub inverse: Inverse,
    /// The states to wait for after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub states: Option<States>,
}

/// An effect that stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stay {
    /// Key of the call.
    pub key: Key,
    /// What it made or changed, for people.
    pub what: String,
    /// The call.
    pub made_by: String,
    /// Account that it was sent as.
    pub account: AccountRef,
    /// Why nothing takes it back.
    pub why: String,
    /// What it goes away with, when that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_with: Option<String>,
}

/// What becomes of one effect.
enum Fate {
    /// There is nothing to take back.
    Nothing,
    Taken(Box<Item>),
    Stays(Stay),
}

/// The plan for a run's effects.
pub(super) fn of(ledger: &Ledger) -> Plan {
    let mut items = Vec::new();
    let mut stays = Vec::new();
    for (index, effect) in ledger.effects.iter().enumerate() {
        match fate(ledger, index, effect) {
            Fate::Nothing => {}
            Fate::Taken(item) => items.push(*item),
            // What the run removed again is neither there nor lost.
            Fate::Stays(_) if forget_removed(&mut items, effect) => {}
            Fate::Stays(stay) => stays.push((stay, &effect.intent.input)),
        }
    }
    items.sort_by_key(|item| (tier(item), Reverse(item.seq)));
    let stays = stays.into_iter().rev().map(|(stay, input)| with_container(stay, input, &items));
    Plan {
        source: ledger.run.clone(),
        runbook: ledger.runbook.clone(),
        stays: stays.collect(),
        items,
    }
}

fn fate(ledger: &Ledger, index: usize, effect: &Effect) -> Fate {
    let Some(output) = effect.output() else {
        // A refused call may still have been given something to take back.
        return match ledger.undo.get(&effect.key) {
            Some(_) if is_last(ledger, effect) => by_script(ledger, index, effect, &Value::Null),
            _ => Fate::Nothing,
        };
    };
    let row = catalogue::reviewed(&effect.intent.service, &effect.intent.operation);
    if ledger.undo.contains_key(&effect.key) && is_last(ledger, effect) {
        return by_script(ledger, index, effect, output);
    }
    let stays = |why: &str| Fate::Stays(stay(effect, output, why));
    let Some(row) = row else {
        return stays("nothing is known that takes this operation back: `undo` can name it");
    };
    if row.harmless.as_ref().is_some_and(|harmless| harmless.is(&effect.intent.input)) {
        return Fate::Nothing;
    }
    if effect.is_older_than_the_call() {
        return stays("it is older than this run, which found it after a crash");
    }
    if let Some(why) = &row.irreversible {
        return stays(why);
    }
    by_catalogue(ledger, index, effect, output, row)
}

/// The last attempt of a key is the one that the script went on from.
fn is_last(ledger: &Ledger, effect: &Effect) -> bool {
    ledger.effects.iter().rfind(|other| other.key == effect.key).map(|last| last.seq)
        == Some(effect.seq)
}

fn by_script(ledger: &Ledger, index: usize, effect: &Effect, output: &Value) -> Fate {
    let recorded = ledger.undo.get(&effect.key).into_iter().flatten().rev().flatten();
    let calls: Vec<Back> = recorded.map(as_recorded).collect();
    if calls.is_empty() {
        return Fate::Nothing;
    }
    item(ledger, index, effect, output, calls, true)
}

/// A call of `undo`, with the states that the table knows for it.
fn as_recorded(call: &Read) -> Back {
    let Read { service, operation, account, input } = call;
    let inverse = Inverse {
        operation: operation.clone(),
        input: input.clone(),
        when: std::collections::BTreeMap::new(),
        needs: Vec::new(),
        each: None,
    };
    back(service, account, inverse)
}

fn back(service: &str, account: &AccountRef, inverse: Inverse) -> Back {
    let states =
        catalogue::reviewed(service, &inverse.operation).and_then(|row| row.states.clone());
    Back { service: service.to_owned(), account: account.clone(), inverse, states }
}

fn by_catalogue(
    ledger: &Ledger,
    index: usize,
    effect: &Effect,
    output: &Value,
    row: &Reviewed,
) -> Fate {
    let before = match (&row.before, effect.before()) {
        (None, _) => Value::Null,
        (Some(_), Ok(before)) => before,
        (Some(_), Err(why)) => {
            let why = format!("what was there before is not known: {why}");
            return Fate::Stays(stay(effect, output, &why));
        }
    };
    let call = Recorded { input: &effect.intent.input, output, before: &before };
    let calls: Vec<Back> = row
        .also
        .iter()
        .chain(&row.inverse)
        .filter_map(|inverse| inverse.of(call))
        .map(|inverse| back(&effect.intent.service, effect.account(), inverse))
        .collect();
    match (&row.otherwise, calls.is_empty()) {
        (Some(why), true) => Fate::Stays(stay(effect, output, why)),
        (None, true) => Fate::Nothing,
        (_, false) => item(ledger, index, effect, output, calls, false),
    }
}

fn item(
    ledger: &Ledger,
    index: usize,
    effect: &Effect,
    output: &Value,
    calls: Vec<Back>,
    by_script: bool,
) -> Fate {
    if calls.iter().any(|call| secret::has_handle(&call.inverse.input)) {
        let why = "it takes a secret that the journal does not have";
        return Fate::Stays(stay(effect, output, why));
    }
    let mut thing = ledger.thing_of.get(&index).map(|thing| ledger.things.all()[*thing].clone());
    let row = catalogue::reviewed(&effect.intent.service, &effect.intent.operation);
    let settles = row
        .and_then(|row| row.states.as_ref())
        .filter(|states| !states.by_person)
        .and_then(|states| states.about(&effect.intent.input, output));
    let is_part = row.and_then(|row| row.shows.as_ref()).is_some_and(|shows| shows.part);
    if let (true, Some(thing)) = (is_part, &mut thing) {
        thing.thing.fields.clear();
    }
    Fate::Taken(Box::new(Item {
        key: effect.key.clone(),
        seq: effect.seq,
        what: words::of(&effect.intent.operation, &effect.intent.input, output),
        made_by: effect.call(),
        account: effect.account().clone(),
        by_script,
        calls,
        thing,
        settles,
        remains: row.and_then(|row| row.remains.clone()),
    }))
}

fn stay(effect: &Effect, output: &Value, why: &str) -> Stay {
    Stay {
        key: effect.key.clone(),
        what: words::of(&effect.intent.operation, &effect.intent.input, output),
        made_by: effect.call(),
        account: effect.account().clone(),
        why: why.to_owned(),
        goes_with: None,
    }
}

/// Whether the call is what would have taken an earlier one back: then neither is left.
fn forget_removed(items: &mut Vec<Item>, effect: &Effect) -> bool {
    let removes = |item: &Item| match item.calls.as_slice() {
        [only] => {
            only.service == effect.intent.service
                && only.inverse.operation == effect.intent.operation
                && canonical::text(&only.inverse.input) == canonical::text(&effect.intent.input)
        }
        _ => false,
    };
    match items.iter().rposition(removes) {
        Some(position) => {
            items.remove(position);
            true
        }
        None => false,
    }
}

fn tier(item: &Item) -> u8 {
    // The role of an environment is gone with the environment: what it does comes before that.
    let is_environment =
        |derivation: &Derivation| matches!(derivation, Derivation::Environment { .. });
    let of_call = |call: &Back| match call.account.derived.iter().any(is_environment) {
        true => 0,
        false => catalogue::tier(&call.service),
    };
    item.calls.iter().map(of_call).min().unwrap_or(0)
}

/// What stays in a thing that the run made goes away with it: in a domain, or in whatever else the
/// call names as the deletion does.
fn with_container(mut stay: Stay, input: &Value, items: &[Item]) -> Stay {
    let domain = part(input, "domainIdentifier");
    let holds = |item: &&Item| {
        item.calls.iter().any(|call| {
            let noun = call.inverse.operation.strip_prefix("delete_").unwrap_or_default();
            if item.made_by != format!("{}.create_{noun}", call.service) {
                return false;
            }
            let Some(named) = call.inverse.input.as_object() else { return false };
            if noun == "domain" {
                return !domain.is_null() && named.get("identifier") == Some(domain);
            }
            let names = || named.iter().filter(|(_, value)| value.is_string());
            stay.made_by.starts_with(&format!("{}.", call.service))
                && names().next().is_some()
                && names().all(|(name, value)| input.get(name) == Some(value))
        })
    };
    let container = items.iter().find(holds).map(|item| item.what.clone());
    stay.goes_with = container;
    stay
}
