//! A run together with those that its script called, and they with theirs: what one of them did is
//! taken back with the others, as if it were one run.
//!
//! The entries of a child stand where its caller waited for it, with the key of the call before their
//! own keys, and with the accounts of the outermost run.

use std::collections::HashMap;

use piton_core::account::{AccountRef, Principal};
use piton_core::compensation::Ledger;
use piton_core::entry::{Body, StoredEntry};
use piton_core::key::Key;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};

use crate::children::children;
use crate::names::{Names, renamed};

/// The runs that are taken back with a run: those that it called, and they, the run itself left out.
/// What was taken back by itself is not among them.
pub(super) fn descendants(
    journal: &dyn Journal,
    source: &RunRow,
) -> Result<Vec<RunRow>, JournalError> {
    let mut all = Vec::new();
    let mut waiting = vec![source.run.clone()];
    while let Some(run) = waiting.pop() {
        for child in children(journal, &run)? {
            if is_included(source, &child) {
                waiting.push(child.run.clone());
                all.push(child);
            }
        }
    }
    Ok(all)
}

fn is_included(source: &RunRow, child: &RunRow) -> bool {
    let by = &child.summary.rolled_back_by;
    by.is_none() || *by == source.summary.rolled_back_by
}

/// What a run and those that it called did, in order.
pub(super) fn ledger(journal: &dyn Journal, source: &RunRow) -> Result<Ledger, JournalError> {
    let mut told = Vec::new();
    tell(journal, source, &source.run, "", &mut told)?;
    let mut ledger = Ledger::new(source.run.clone());
    told.iter().for_each(|stored| ledger.take(stored));
    Ok(ledger)
}

fn tell(
    journal: &dyn Journal,
    source: &RunRow,
    run: &RunId,
    before: &str,
    told: &mut Vec<StoredEntry>,
) -> Result<(), JournalError> {
    let entries = entries(journal, run)?;
    let mut called = children(journal, run)?;
    called.retain(|child| is_included(source, child));
    let ends: HashMap<RunId, usize> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, stored)| match &stored.entry.body {
            Body::Child(child) => Some((child.run.clone(), index)),
            _ => None,
        })
        .collect();
    let mut names = Names::new();
    for (index, mut stored) in entries.into_iter().enumerate() {
        for child in called.iter().filter(|child| ends.get(&child.run) == Some(&index)) {
            tell_child(journal, source, child, before, told)?;
        }
        if let Body::Started(started) = &stored.entry.body {
            names.clone_from(&started.accounts);
            if *run != source.run {
                continue;
            }
        }
        rename(&mut stored.entry.body, &names, before);
        stored.entry.key = stored.entry.key.as_ref().map(|key| below(before, key));
        stored.seq = told.len() as u64 + 1;
        told.push(stored);
    }
    for child in called.iter().filter(|child| !ends.contains_key(&child.run)) {
        tell_child(journal, source, child, before, told)?;
    }
    Ok(())
}

fn tell_child(
    journal: &dyn Journal,
    source: &RunRow,
    child: &RunRow,
    before: &str,
    told: &mut Vec<StoredEntry>,
) -> Result<(), JournalError> {
    let first = journal.entries(&child.run, 0, 1)?;
    let call = first.first().and_then(|stored| match &stored.entry.body {
        Body::Started(started) => started.parent.as_ref().map(|parent| parent.key.as_str()),
        _ => None,
    });
    let before = format!("{before}{}/", call.unwrap_or_default());
    tell(journal, source, &child.run, &before, told)
}

fn below(before: &str, key: &Key) -> Key {
    Key::from_text(format!("{before}{key}"))
}

/// The accounts by their names in the outermost run, and keys below the call.
fn rename(body: &mut Body, names: &Names, before: &str) {
    match body {
        Body::Intent(intent) => rename_account(&mut intent.account, names),
        Body::Outcome(outcome) => {
            if let Some(read) = &mut outcome.read {
                rename_account(&mut read.account, names);
            }
        }
        Body::Bound(bound) => rename_account(&mut bound.account, names),
        Body::Undo(undo) => {
            undo.of = below(before, &undo.of);
            undo.calls.iter_mut().for_each(|call| rename_account(&mut call.account, names));
        }
        _ => {}
    }
}

fn rename_account(account: &mut AccountRef, names: &Names) {
    account.alias = renamed(names, &account.alias);
}

/// Whom the aliases of a run proved to be, by their names in the outermost run.
pub(super) fn outermost(
    bound: HashMap<AccountRef, Principal>,
    names: &Names,
) -> HashMap<AccountRef, Principal> {
    let renamed = bound.into_iter().map(|(mut account, principal)| {
        rename_account(&mut account, names);
        (account, principal)
    });
    renamed.collect()
}

fn entries(journal: &dyn Journal, run: &RunId) -> Result<Vec<StoredEntry>, JournalError> {
    let mut all: Vec<StoredEntry> = Vec::new();
    loop {
        let chunk = journal.entries(run, all.last().map_or(0, |stored| stored.seq), 512)?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend(chunk);
    }
}
