//! The two searches: listings for everybody in a domain, inventory for a project's members.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::room::{ASSET, GLOSSARY, LISTING, PROJECT, TERM, Visit, elements, invalid, page, text};
use super::standing::{Standing, project_to_read, stands};
use crate::services::{AwsFault, Call, Reply};

/// `SearchListings`.
pub(super) fn listings(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    let mut found: Vec<Value> = visit
        .room
        .list(LISTING)
        .into_iter()
        .map(|listing| listing["_index"].clone())
        .filter(|item| !item.is_null())
        .collect();
    narrow(call, &mut found, &["name", "description"])?;
    let aggregates = aggregates(call, &found);
    let with_forms = wants(call, "FORMS");
    let items = found
        .into_iter()
        .map(|mut item| {
            if !with_forms {
                item["additionalAttributes"] = Value::Null;
            }
            json!({ "assetListing": item })
        })
        .collect();
    let mut answer = counted(call, items)?;
    answer["aggregates"] = aggregates;
    Ok(answer)
}

/// `Search`.
pub(super) fn inventory(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let (kind, member) = match call.text("searchScope") {
        "ASSET" => (ASSET, "assetItem"),
        "GLOSSARY" => (GLOSSARY, "glossaryItem"),
        "GLOSSARY_TERM" => (TERM, "glossaryTermItem"),
        other => return Err(invalid(format!("The sandbox has nothing of {other} to search"))),
    };
    let mut found = visit.room.list(kind);
    match call.text("owningProjectIdentifier") {
        "" if kind == ASSET => {
            let projects = visit.room.list(PROJECT);
            found.retain(|asset| {
                projects.iter().any(|project| {
                    project["id"] == asset["owningProjectId"]
                        && stands(project, &user, Standing::Member)
                })
            });
        }
        "" => {}
        project => {
            project_to_read(&visit, project)?;
            found.retain(|item| text(item, "owningProjectId") == project);
        }
    }
    narrow(call, &mut found, &["name", "description", "externalIdentifier"])?;
    let with_forms = wants(call, "FORMS");
    let items = found
        .into_iter()
        .map(|mut item| {
            item["identifier"] = item["id"].clone();
            if with_forms {
                item["additionalAttributes"] = json!({
                    "formsOutput": item["formsOutput"],
                    "readOnlyFormsOutput": item["readOnlyFormsOutput"],
                });
            }
            json!({ member: item })
        })
        .collect();
    counted(call, items)
}

fn wants(call: &Call<'_>, attribute: &str) -> bool {
    elements(call.input, "additionalAttributes").iter().any(|wanted| *wanted == *attribute)
}

fn counted(call: &Call<'_>, items: Vec<Value>) -> Reply {
    let count = items.len();
    let mut answer = page(call, "items", items, 50)?;
    answer["totalMatchCount"] = json!(count);
    Ok(answer)
}

/// Applies text, filters and order of the input.
fn narrow(call: &Call<'_>, found: &mut Vec<Value>, searched: &[&str]) -> Result<(), AwsFault> {
    let words = call.text("searchText").to_lowercase();
    let within: Vec<&str> = match elements(call.input, "searchIn") {
        [] => searched.to_vec(),
        given => given.iter().map(|item| text(item, "attribute")).collect(),
    };
    found.retain(|item| {
        within.iter().any(|member| {
            let value = text(item, member).to_lowercase();
            words.split_whitespace().all(|word| value.contains(word))
        })
    });
    let filters = &call.input["filters"];
    if !filters.is_null() {
        let mut kept = Vec::new();
        for item in found.drain(..) {
            if passes(&item, filters)? {
                kept.push(item);
            }
        }
        *found = kept;
    }
    let order = &call.input["sort"];
    if !order.is_null() {
        let member = text(order, "attribute");
        found.sort_by(|left, right| text(left, member).cmp(text(right, member)));
        if text(order, "order") == "DESCENDING" {
            found.reverse();
        }
    }
    Ok(())
}

/// Whether an item passes a clause; an attribute that it cannot have is refused, not passed over.
fn passes(item: &Value, clause: &Value) -> Result<bool, AwsFault> {
    if let Some(all) = clause["and"].as_array() {
        for clause in all {
            if !passes(item, clause)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Some(any) = clause["or"].as_array() {
        for clause in any {
            if passes(item, clause)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let filter = &clause["filter"];
    let value = attribute(item, text(filter, "attribute"))?;
    let wanted = text(filter, "value");
    Ok(match text(filter, "operator") {
        "" | "EQ" => value == wanted,
        "TEXT_SEARCH" => value.to_lowercase().contains(&wanted.to_lowercase()),
        "LT" => value < wanted,
        "LE" => value <= wanted,
        "GT" => value > wanted,
        _ => value >= wanted,
    })
}

fn attribute<'v>(item: &'v Value, name: &str) -> Result<&'v str, AwsFault> {
    let member = match name {
        "typeName" if item.get("entityType").is_some() => "entityType",
        "typeName" => "typeIdentifier",
        other => other,
    };
    match member {
        "description" | "externalIdentifier" => Ok(text(item, member)),
        _ => item
            .get(member)
            .and_then(Value::as_str)
            .ok_or_else(|| invalid(format!("The sandbox cannot filter by the attribute {name}"))),
    }
}

fn aggregates(call: &Call<'_>, found: &[Value]) -> Value {
    let wanted = elements(call.input, "aggregations").iter();
    wanted
        .map(|wanted| {
            let name = text(wanted, "attribute");
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for value in found.iter().filter_map(|item| attribute(item, name).ok()) {
                *counts.entry(value).or_default() += 1;
            }
            let items: Vec<Value> = counts
                .into_iter()
                .map(|(value, count)| json!({ "value": value, "count": count }))
                .collect();
            json!({ "attribute": name, "items": items })
        })
        .collect()
}
