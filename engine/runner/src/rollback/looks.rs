//! How the things of a plan stand now, and who is asked about what somebody changed since.

use std::collections::HashMap;

use piton_core::canonical;
use piton_core::catalogue::{Class, FieldChange, Standing};
use piton_core::compensation::{Item, KnownThing, Plan};
use piton_core::gate::{GateKind, OnExpire};
use piton_script::host::{GateSpec, Halt, Host as _};
use serde_json::{Value, json};

use super::begin::as_call;
use crate::drive::Driver;

/// How an item stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outlook {
    /// It can be taken back.
    There,
    /// It is gone already.
    Gone,
    /// Somebody made another thing of its name: that one is not ours.
    Replaced,
    /// Somebody changed it since, and a person wants it left.
    Kept,
}

/// Looks at every thing of the plan, and asks about those that somebody changed.
pub(super) fn outlooks(driver: &Driver, plan: &Plan) -> Result<Vec<Outlook>, Halt> {
    driver.open_step("look at what is there")?;
    let mut seen: HashMap<String, Standing> = HashMap::new();
    let mut standings = Vec::with_capacity(plan.items.len());
    for item in &plan.items {
        let standing = match &item.thing {
            None => Standing::Same,
            Some(thing) => {
                let read = format!(
                    "{} {} {} {} {}",
                    thing.service,
                    thing.operation,
                    thing.account,
                    canonical::text(&thing.input),
                    thing.thing.fields.len()
                );
                match seen.get(&read) {
                    Some(standing) => standing.clone(),
                    None => {
                        let standing = look(driver, thing)?;
                        seen.insert(read, standing.clone());
                        standing
                    }
                }
            }
        };
        standings.push(standing);
    }
    driver.close_step(true)?;
    let keeps = !is_wanted(driver, plan, &standings)?;
    Ok(standings
        .into_iter()
        .map(|standing| match standing {
            Standing::Changed { .. } if keeps => Outlook::Kept,
            Standing::Same | Standing::Changed { .. } => Outlook::There,
            Standing::Gone => Outlook::Gone,
            Standing::Replaced { .. } => Outlook::Replaced,
        })
        .collect())
}

/// One look. What cannot be read is taken for unchanged: whether it can be taken back is for the call
/// to say.
fn look(driver: &Driver, thing: &KnownThing) -> Result<Standing, Halt> {
    let KnownThing { service, operation, account, input, .. } = thing;
    let call = as_call(service, operation, account, input.clone(), Class::Read);
    match driver.call(call) {
        Ok(answer) => Ok(thing.thing.standing(&thing.known, &answer)),
        Err(Halt::Thrown(thrown)) if thing.thing.gone_on.contains(&thrown.code) => {
            Ok(Standing::Gone)
        }
        Err(Halt::Thrown(_)) => Ok(Standing::Same),
        Err(halt) => Err(halt),
    }
}

/// Asks whether what somebody changed since is to be taken back all the same. Without a change nobody
/// is asked.
fn is_wanted(driver: &Driver, plan: &Plan, standings: &[Standing]) -> Result<bool, Halt> {
    let changes: Vec<Value> = plan
        .items
        .iter()
        .zip(standings)
        .filter_map(|(item, standing)| match standing {
            Standing::Changed { differences } => Some(shown(item, differences)),
            _ => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(true);
    }
    let question = "Somebody changed these since the run worked on them. Approve to take them back \
                    all the same, reject to leave them as they are.";
    let decision = driver.gate(
        GateSpec {
            kind: GateKind::Approval,
            name: "changed since".to_owned(),
            show: json!({ "question": question, "changes": changes }),
            from: Vec::new(),
            need: 1,
            exclude: Vec::new(),
            by_requester: true,
            expires: None,
            on_expire: OnExpire::Reject,
            form: Value::Null,
            instructions: None,
            evidence: None,
            returns_rejection: true,
            settled_by: None,
            place: None,
        },
        None,
    )?;
    Ok(decision["decision"] == json!("approved"))
}

fn shown(item: &Item, differences: &[FieldChange]) -> Value {
    json!({ "what": item.what, "made_by": item.made_by, "differences": differences })
}
