//! Business names: what DataZone makes of technical ones, and what a person accepts of it.

use serde_json::{Value, json};

use super::assets::{content_of, form, replace_forms, revise, table_of, to_change};
use super::room::{
    ASSET, GENERATION, Room, Visit, conflict, elements, invalid, keep_equal, page, text,
};
use super::standing::{Standing, project_for, project_to_read};
use crate::services::{AwsFault, Call, Reply};

/// The read-only form that holds proposals until they are accepted or rejected.
const FORM: &str = "BusinessNameGenerationForm";
const FORM_TYPE: &str = "amazon.datazone.BusinessNameGenerationFormType";
/// The form that holds accepted names of columns.
const COLUMNS: &str = "ColumnBusinessMetadataForm";
const COLUMNS_TYPE: &str = "amazon.datazone.ColumnBusinessMetadataFormType";

/// What the parts of technical names stand for; a part that is empty here says nothing.
const WORDS: [(&str, &str); 40] = [
    ("acct", "Account"),
    ("addr", "Address"),
    ("amt", "Amount"),
    ("avg", "Average"),
    ("cat", "Category"),
    ("cd", "Code"),
    ("cnt", "Count"),
    ("ctlg", "Catalog"),
    ("cust", "Customer"),
    ("dept", "Department"),
    ("desc", "Description"),
    ("disc", "Discount"),
    ("disnt", "Discount"),
    ("dt", "Date"),
    ("dw", ""),
    ("emp", "Employee"),
    ("id", "ID"),
    ("inv", "Inventory"),
    ("loc", "Location"),
    ("lst", "List"),
    ("mkt", "Market"),
    ("nbr", "Number"),
    ("nm", "Name"),
    ("no", "Number"),
    ("num", "Number"),
    ("ord", "Order"),
    ("org", "Organization"),
    ("pct", "Percent"),
    ("pr", "Price"),
    ("prc", "Price"),
    ("prod", "Product"),
    ("qty", "Quantity"),
    ("rs", ""),
    ("sld", "Sold"),
    ("sls", "Sales"),
    ("src", "Source"),
    ("stg", ""),
    ("tbl", "Table"),
    ("ts", "Timestamp"),
    ("txn", "Transaction"),
];

/// A technical name in words: `mkt_sls_table` is Market Sales Table.
fn business_name(technical: &str) -> String {
    let words: Vec<String> = technical
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(|part| {
            let part = part.to_lowercase();
            match WORDS.binary_search_by_key(&part.as_str(), |(short, _)| short) {
                Ok(index) => WORDS[index].1.to_owned(),
                Err(_) => capitalised(&part),
            }
        })
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() { technical.to_owned() } else { words.join(" ") }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Proposals for an asset appear: for its name, and for each of its columns.
pub(super) fn generated(room: &Room<'_>, asset: &str) {
    let Some(mut asset) = room.find(ASSET, asset) else { return };
    propose(&mut asset);
    room.put(ASSET, &asset);
}

fn propose(asset: &mut Value) {
    let table = table_of(asset);
    let technical = match text(&table, "tableName") {
        "" => text(asset, "name").to_owned(),
        name => name.to_owned(),
    };
    let proposal = |target: String, name: &str| {
        json!({
            "predictionTarget": target,
            "choices": [{ "value": business_name(name), "confidence": 0.9 }],
        })
    };
    let mut proposals = vec![proposal("name".to_owned(), &technical)];
    for column in elements(&table, "columns") {
        let name = text(column, "columnName");
        proposals.push(proposal(format!("columns/{name}"), name));
    }
    let content = json!({ "predictions": proposals });
    asset["readOnlyFormsOutput"] = json!([form(FORM, FORM_TYPE, &content)]);
}

fn proposals(asset: &Value) -> Vec<Value> {
    elements(asset, "readOnlyFormsOutput")
        .iter()
        .find(|known| text(known, "formName") == FORM)
        .and_then(|known| serde_json::from_str::<Value>(text(known, "content")).ok())
        .map(|content| elements(&content, "predictions").to_vec())
        .unwrap_or_default()
}

/// The asset to decide about, at the revision that the input names, with its proposals.
fn decided(visit: &Visit<'_>) -> Result<(Value, String, Vec<Value>), AwsFault> {
    let (asset, user) = to_change(visit, visit.text("identifier"))?;
    let wanted = visit.text("revision");
    if !wanted.is_empty() && wanted != text(&asset, "revision") {
        return Err(conflict(format!(
            "Revision {wanted} is not the latest, which is {}",
            text(&asset, "revision")
        )));
    }
    let proposals = proposals(&asset);
    match proposals.is_empty() {
        true => Err(invalid(format!("Asset {} has no predictions", text(&asset, "id")))),
        false => Ok((asset, user, proposals)),
    }
}

/// `AcceptPredictions`: a new revision with the accepted names.
pub(super) fn accept(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut asset, user, proposals) = decided(&visit)?;
    let names = accepted(call, &proposals)?;
    revise(&visit.room, &mut asset, &user);
    let mut columns = content_of(&asset, COLUMNS)["columnsBusinessMetadata"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for (target, name) in names {
        match target.strip_prefix("columns/") {
            None => asset["name"] = json!(name),
            Some(column) => {
                columns.retain(|known| text(known, "columnIdentifier") != column);
                columns.push(json!({ "columnIdentifier": column, "name": name }));
            }
        }
    }
    if !columns.is_empty() {
        let content = json!({ "columnsBusinessMetadata": columns });
        replace_forms(&mut asset, &json!([form(COLUMNS, COLUMNS_TYPE, &content)]));
    }
    asset["readOnlyFormsOutput"] = json!([]);
    visit.room.put(ASSET, &asset);
    Ok(json!({
        "domainId": visit.room.domain, "assetId": asset["id"], "revision": asset["revision"],
    }))
}

/// The names that the input takes, by target: those of its choices first, then by its rule.
fn accepted(call: &Call<'_>, proposals: &[Value]) -> Result<Vec<(String, String)>, AwsFault> {
    let mut names: Vec<(String, String)> = Vec::new();
    for choice in elements(call.input, "acceptChoices") {
        let target = text(choice, "predictionTarget");
        let proposal = proposals
            .iter()
            .find(|proposal| text(proposal, "predictionTarget") == target)
            .ok_or_else(|| invalid(format!("There is no prediction for {target}")))?;
        let index = choice["predictionChoice"].as_u64().unwrap_or_default();
        let chosen = usize::try_from(index)
            .ok()
            .and_then(|index| elements(proposal, "choices").get(index))
            .ok_or_else(|| invalid(format!("There is no choice {index} for {target}")))?;
        let edited = text(choice, "editedValue");
        let name = if edited.is_empty() { text(chosen, "value") } else { edited };
        names.push((target.to_owned(), name.to_owned()));
    }
    if text(&call.input["acceptRule"], "rule") == "ALL" {
        let threshold = call.input["acceptRule"]["threshold"].as_f64().unwrap_or_default();
        for proposal in proposals {
            let target = text(proposal, "predictionTarget");
            let best = elements(proposal, "choices").first();
            if let Some(best) = best
                && best["confidence"].as_f64().unwrap_or_default() >= threshold
                && !names.iter().any(|(known, _)| known == target)
            {
                names.push((target.to_owned(), text(best, "value").to_owned()));
            }
        }
    }
    Ok(names)
}

/// `RejectPredictions`: a new revision without the rejected ones.
pub(super) fn reject(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut asset, user, mut proposals) = decided(&visit)?;
    if text(&call.input["rejectRule"], "rule") == "ALL" {
        proposals.clear();
    }
    for choice in elements(call.input, "rejectChoices") {
        proposals.retain(|known| known["predictionTarget"] != choice["predictionTarget"]);
    }
    revise(&visit.room, &mut asset, &user);
    asset["readOnlyFormsOutput"] = match proposals.is_empty() {
        true => json!([]),
        false => json!([form(FORM, FORM_TYPE, &json!({ "predictions": proposals }))]),
    };
    visit.room.put(ASSET, &asset);
    Ok(json!({
        "domainId": visit.room.domain, "assetId": asset["id"], "assetRevision": asset["revision"],
    }))
}

/// `StartMetadataGenerationRun`, of business names.
pub(super) fn start(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("owningProjectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Steward)?;
    let types = match elements(call.input, "types") {
        [] => vec![json!(call.text("type"))],
        types => types.to_vec(),
    };
    if types.iter().any(|kind| *kind != "BUSINESS_NAMES") {
        return Err(invalid("The sandbox generates BUSINESS_NAMES only"));
    }
    let asset = visit.room.get(ASSET, text(&call.input["target"], "identifier"))?;
    if text(&asset, "owningProjectId") != project {
        return Err(invalid("The asset is not of the project"));
    }
    let mut run = visit.document(&visit.room.new_id("gen"), &user);
    run["status"] = json!("SUBMITTED");
    run["type"] = types[0].clone();
    run["types"] = json!(types);
    run["target"] = call.input["target"].clone();
    run["owningProjectId"] = json!(project);
    visit.room.put(GENERATION, &run);
    visit.room.after(5, "generation_begins", text(&run, "id"));
    Ok(run)
}

/// A submitted run works.
pub(super) fn begins(room: &Room<'_>, id: &str) {
    let Some(mut run) = room.find(GENERATION, id) else { return };
    run["status"] = json!("IN_PROGRESS");
    room.put(GENERATION, &run);
    room.after(20, "generation_ends", id);
}

/// A run ends: proposals are there, unless the asset went meanwhile.
pub(super) fn ends(room: &Room<'_>, id: &str) {
    let Some(mut run) = room.find(GENERATION, id) else { return };
    let status = match room.find(ASSET, text(&run["target"], "identifier")) {
        Some(mut asset) => {
            propose(&mut asset);
            room.put(ASSET, &asset);
            "SUCCEEDED"
        }
        None => "FAILED",
    };
    run["status"] = json!(status);
    run["typeStats"] = json!([{ "type": run["type"], "status": status }]);
    room.put(GENERATION, &run);
}

/// `GetMetadataGenerationRun`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let run = visit.room.get(GENERATION, call.text("identifier"))?;
    project_to_read(&visit, text(&run, "owningProjectId"))?;
    Ok(run)
}

/// `ListMetadataGenerationRuns`: those of the caller's projects.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    let mut items = visit.room.list(GENERATION);
    items.retain(|run| project_to_read(&visit, text(run, "owningProjectId")).is_ok());
    keep_equal(call, &mut items, "status", "status");
    keep_equal(call, &mut items, "type", "type");
    let wanted = call.text("targetIdentifier");
    items.retain(|run| wanted.is_empty() || text(&run["target"], "identifier") == wanted);
    page(call, "items", items, 50)
}

#[cfg(test)]
mod tests {
    use super::{WORDS, business_name};

    #[test]
    fn technical_names_become_words() {
        assert_eq!(business_name("mkt_sls_table"), "Market Sales Table");
        assert_eq!(business_name("rs_sls_tbl"), "Sales Table");
        assert_eq!(business_name("ship_cust_id"), "Ship Customer ID");
        assert_eq!(business_name("rs"), "rs");
    }

    #[test]
    fn the_words_are_in_order_for_the_search() {
        assert!(WORDS.is_sorted_by_key(|(short, _)| *short));
    }
}
