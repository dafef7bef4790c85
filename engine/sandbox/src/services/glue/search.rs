//! SearchTables: tables of the caller's catalogue by words and by members.

use serde_json::{Value, json};

use super::state::{Table, databases, tables};
use super::tables::may_see;
use super::{invalid, paging};
use crate::services::{AwsFault, Call, Reply};

/// SearchTables.
pub(super) fn answer(call: &Call<'_>) -> Reply {
    let filters = call.input.get("Filters").and_then(Value::as_array);
    let filters: Vec<(String, String)> = filters
        .into_iter()
        .flatten()
        .map(|filter| {
            let text = |member: &str| filter[member].as_str().unwrap_or_default().to_owned();
            (text("Key"), text("Value"))
        })
        .collect();
    let words = call.text("SearchText").trim_matches('"').to_lowercase();
    let all = databases(call.world, &super::catalog(call));
    let mut found: Vec<Table> = all
        .iter()
        .flat_map(|database| tables(call.world, &database.reference))
        .filter(|table| may_see(call, table) && has_words(table, &words))
        .collect();
    for (key, value) in &filters {
        let mut kept = Vec::new();
        for table in found {
            if fits(&table, key, value)? {
                kept.push(table);
            }
        }
        found = kept;
    }
    let sort = call.input.get("SortCriteria").and_then(Value::as_array);
    if let Some(criterion) = sort.and_then(|list| list.first()) {
        let by = criterion["FieldName"].as_str().unwrap_or_default().to_owned();
        found.sort_by_key(|table| member(table, &by).unwrap_or_default());
        if criterion["Sort"] == "DESC" {
            found.reverse();
        }
    }
    let items = found.iter().map(|table| table.shown(call.world)).collect();
    paging(1000).page(call, "TableList", items)
}

fn has_words(table: &Table, words: &str) -> bool {
    let mut texts = vec![
        table.reference.name.clone(),
        table.reference.database.clone(),
        table.input["Description"].as_str().unwrap_or_default().to_lowercase(),
    ];
    for (name, _, comment) in table.columns() {
        texts.extend([name, comment.to_lowercase()]);
    }
    words.is_empty() || texts.iter().any(|text| text.contains(words))
}

fn member(table: &Table, key: &str) -> Option<String> {
    Some(match key.to_lowercase().as_str() {
        "name" | "tablename" => table.reference.name.clone(),
        "databasename" => table.reference.database.clone(),
        "catalogid" => table.reference.account.clone(),
        "description" | "owner" | "tabletype" => {
            let names = ["Description", "Owner", "TableType"];
            let name = names.into_iter().find(|name| name.eq_ignore_ascii_case(key))?;
            table.input[name].as_str().unwrap_or_default().to_owned()
        }
        "updatetime" => table.updated.clone(),
        "createtime" => table.created.clone(),
        _ => return None,
    })
}

fn fits(table: &Table, key: &str, value: &str) -> Result<bool, AwsFault> {
    let found = member(table, key).ok_or_else(|| {
        invalid(json!({"Filters": key}).to_string() + " is no member that can be searched")
    })?;
    Ok(match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(exact) => found == exact,
        None => found.to_lowercase().contains(&value.to_lowercase()),
    })
}
