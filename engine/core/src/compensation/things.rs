//! What a run knew of the things that it made or found: enough to tell later whether they are still
//! the same ones, unchanged.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::AccountRef;
use crate::canonical;
use crate::catalogue::{self, Thing, part};
use crate::key::Key;

/// Where a run has a thing from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A call of the run made it.
    Made,
    /// It was there, and the run read it or changed it.
    Found,
}

/// A thing, the read that shows it, and what was known of it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownThing {
    /// Script's name of the service.
    pub service: String,
    /// Account that reads it.
    pub account: AccountRef,
    /// Script's name of the operation that shows it.
    pub operation: String,
    /// Its input.
    pub input: Value,
    /// What the answer means.
    pub thing: Thing,
    /// Anchors and fields by path, as they were last.
    pub known: BTreeMap<String, Value>,
    /// Where the run has it from.
    pub origin: Origin,
    /// Call that made it, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Key>,
    /// A later call of the run removed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl KnownThing {
    /// The thing for people: `project poc-publish`.
    pub fn title(&self) -> String {
        let name = self.known.get(&self.thing.name).and_then(Value::as_str);
        match name.or_else(|| first_text(&self.input)) {
            Some(name) => format!("{} {name}", self.thing.kind),
            None => self.thing.kind.clone(),
        }
    }
}

fn first_text(input: &Value) -> Option<&str> {
    input.as_object()?.values().filter_map(Value::as_str).next_back()
}

/// Things by what shows them.
#[derive(Debug, Default)]
pub(super) struct Things {
    all: Vec<KnownThing>,
    by_read: HashMap<String, usize>,
    /// Account numbers by account: two aliases of one account see the same things.
    accounts: HashMap<AccountRef, String>,
}

impl Things {
    pub(super) fn all(&self) -> &[KnownThing] {
        &self.all
    }

    pub(super) fn bound(&mut self, account: &AccountRef, number: &str) {
        self.accounts.insert(account.clone(), number.to_owned());
    }

    /// A read showed a thing.
    pub(super) fn read(
        &mut self,
        service: &str,
        operation: &str,
        account: &AccountRef,
        input: &Value,
        answer: &Value,
    ) {
        let Some(thing) =
            catalogue::reviewed(service, operation).and_then(|row| row.thing.as_ref())
        else {
            return;
        };
        let index = self.index(service, operation, account, input, thing);
        self.all[index].known.extend(thing.known(answer));
        self.all[index].removed = false;
    }

    /// A call made or changed a thing; says which.
    pub(super) fn made(
        &mut self,
        service: &str,
        operation: &str,
        account: &AccountRef,
        input: &Value,
        output: &Value,
        key: &Key,
    ) -> Option<usize> {
        let shows = catalogue::reviewed(service, operation)?.shows.as_ref()?;
        let thing = catalogue::reviewed(service, &shows.operation)?.thing.as_ref()?;
        let read_input = shows.read_input(input, output);
        let before = self.all.len();
        let index = self.index(service, &shows.operation, account, &read_input, thing);
        let known = &mut self.all[index];
        known.removed = false;
        if index == before && operation.starts_with("create_") {
            known.origin = Origin::Made;
            known.made_by = Some(key.clone());
        }
        // What the call asked for, then what AWS made of it.
        for path in thing.fields.iter().chain([&thing.name]) {
            let given = part(input, path);
            if !given.is_null() {
                known.known.insert(path.clone(), catalogue::normal(given));
            }
        }
        if let Some(of) = &shows.of {
            let whole = Thing { at: of.clone(), ..thing.clone() };
            known.known.extend(whole.known(output));
        }
        Some(index)
    }

    /// A call removed something: whatever is shown by a read with the same members is not there.
    pub(super) fn removed(&mut self, service: &str, operation: &str, input: &Value) {
        let Some(noun) = operation.strip_prefix("delete_") else { return };
        for thing in &mut self.all {
            let is_of_kind = thing.operation.ends_with(&format!("_{noun}"))
                || thing.operation.ends_with(&format!("_{noun}s"));
            let is_it = |members: &serde_json::Map<String, Value>| {
                members.iter().all(|(name, value)| input.get(name) == Some(value))
            };
            if thing.service == service && is_of_kind && thing.input.as_object().is_some_and(is_it)
            {
                thing.removed = true;
            }
        }
    }

    fn index(
        &mut self,
        service: &str,
        operation: &str,
        account: &AccountRef,
        input: &Value,
        thing: &Thing,
    ) -> usize {
        let number = self.accounts.get(account).map_or(account.alias.as_str(), String::as_str);
        let read = format!("{service}.{operation} {number} {}", canonical::text(input));
        let all = &mut self.all;
        *self.by_read.entry(read).or_insert_with(|| {
            all.push(KnownThing {
                service: service.to_owned(),
                account: account.clone(),
                operation: operation.to_owned(),
                input: input.clone(),
                thing: thing.clone(),
                known: BTreeMap::new(),
                origin: Origin::Found,
                made_by: None,
                removed: false,
            });
            all.len() - 1
        })
    }
}
