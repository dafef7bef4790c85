//! Assets and their revisions: what a project has in its inventory.

use serde_json::{Value, json};

use super::room::{
    ASSET, Room, Visit, conflict, copy, elements, flag, invalid, missing, page, text,
};
use super::standing::{Standing, project_for, project_to_read};
use super::types::{AssetType, GLUE, TABLE, VIEW, asset_type};
use crate::services::glue::TableRef;
use crate::services::{AwsFault, Call, Reply};

/// A table or view that a run found.
#[derive(Debug)]
pub(super) struct Find {
    /// Its technical name.
    pub(super) name: String,
    pub(super) database: String,
    pub(super) kind: &'static AssetType,
    /// What makes two imports the same asset: names alone, as in DataZone, which is why it does not
    /// notice a cluster that was made again.
    pub(super) external: String,
    /// Content of the form that describes it.
    pub(super) content: Value,
    /// The secret with which a warehouse was read; empty for a lake.
    pub(super) secret: String,
    /// The role in whose name it was read.
    pub(super) role: String,
}

impl Find {
    fn forms(&self, source: &Value) -> Value {
        let reference = json!({ "dataSourceIdentifier": {
            "id": source["id"], "type": "amazon.datazone.DataSource" } });
        json!([
            form(self.kind.form, self.kind.form_type, &self.content),
            form(
                "DataSourceReferenceForm",
                "amazon.datazone.DataSourceReferenceFormType",
                &reference,
            ),
        ])
    }
}

/// A form as answers have it.
pub(super) fn form(name: &str, kind: &str, content: &Value) -> Value {
    json!({
        "formName": name, "typeName": kind, "typeRevision": "1", "content": content.to_string(),
    })
}

/// What a run did with one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    Unchanged,
    /// Another source has it.
    AlreadyImported,
}

/// An import, with the asset when it is the source's own.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) outcome: Outcome,
    pub(super) asset: Option<String>,
}

/// Takes a table or view into a source's project.
pub(super) fn import(room: &Room<'_>, source: &Value, found: &Find) -> Imported {
    let mut assets = room.list(ASSET).into_iter();
    let known = assets.find(|asset| text(asset, "externalIdentifier") == found.external);
    let forms = found.forms(source);
    let Some(mut asset) = known else {
        let id = add(room, source, found, &forms);
        return Imported { outcome: Outcome::Created, asset: Some(id) };
    };
    if asset["_source"] != source["id"] {
        return Imported { outcome: Outcome::AlreadyImported, asset: None };
    }
    let id = text(&asset, "id").to_owned();
    if asset["formsOutput"][0] == forms[0] {
        return Imported { outcome: Outcome::Unchanged, asset: Some(id) };
    }
    revise(room, &mut asset, text(source, "createdBy"));
    replace_forms(&mut asset, &forms);
    room.put(ASSET, &asset);
    generate_names(room, source, &id);
    Imported { outcome: Outcome::Updated, asset: Some(id) }
}

fn add(room: &Room<'_>, source: &Value, found: &Find, forms: &Value) -> String {
    let id = room.new_id("ast");
    let user = &source["createdBy"];
    let now = room.time();
    let asset = json!({
        "id": id, "domainId": room.domain, "name": found.name,
        "typeIdentifier": found.kind.name, "typeRevision": "1",
        "externalIdentifier": found.external,
        "revision": "1", "owningProjectId": source["projectId"],
        "createdBy": user, "createdAt": now,
        "firstRevisionCreatedBy": user, "firstRevisionCreatedAt": now,
        "formsOutput": forms, "readOnlyFormsOutput": [],
        "_source": source["id"], "_secret": found.secret, "_role": found.role, "_revisions": [],
    });
    room.put(ASSET, &asset);
    generate_names(room, source, &id);
    id
}

fn generate_names(room: &Room<'_>, source: &Value, asset: &str) {
    if flag(&source["recommendation"], "enableBusinessNameGeneration") {
        room.after(15, "names_generated", asset);
    }
}

/// Sets forms by name, keeping those that `forms` does not have.
pub(super) fn replace_forms(asset: &mut Value, forms: &Value) {
    let mut kept: Vec<Value> = forms.as_array().cloned().unwrap_or_default();
    let old = elements(asset, "formsOutput")
        .iter()
        .filter(|old| !kept.iter().any(|new| new["formName"] == old["formName"]));
    let old: Vec<Value> = old.cloned().collect();
    kept.extend(old);
    asset["formsOutput"] = Value::Array(kept);
}

/// Keeps the present revision aside and begins the next.
pub(super) fn revise(room: &Room<'_>, asset: &mut Value, user: &str) {
    let mut past = asset.clone();
    if let Some(members) = past.as_object_mut() {
        members.remove("_revisions");
    }
    let next = text(asset, "revision").parse::<u32>().map_or(1, |number| number + 1);
    if let Some(revisions) = asset["_revisions"].as_array_mut() {
        revisions.push(past);
    }
    asset["revision"] = json!(next.to_string());
    asset["createdAt"] = json!(room.time());
    asset["createdBy"] = json!(user);
}

/// A revision of an asset: the present one when none is named.
pub(super) fn revision(asset: &Value, revision: &str) -> Result<Value, AwsFault> {
    if revision.is_empty() || text(asset, "revision") == revision {
        return Ok(asset.clone());
    }
    elements(asset, "_revisions")
        .iter()
        .find(|past| text(past, "revision") == revision)
        .cloned()
        .ok_or_else(|| missing("datazone/asset_revision", revision))
}

/// The content of an asset's form, parsed; null when it has no such form.
pub(super) fn content_of(asset: &Value, form: &str) -> Value {
    elements(asset, "formsOutput")
        .iter()
        .find(|known| text(known, "formName") == form)
        .and_then(|known| serde_json::from_str(text(known, "content")).ok())
        .unwrap_or_default()
}

/// The content of the form that says where a table is, and what its columns are; null for other
/// assets.
pub(super) fn table_of(asset: &Value) -> Value {
    [&TABLE, &VIEW, &GLUE]
        .into_iter()
        .map(|kind| content_of(asset, kind.form))
        .find(|content| !content.is_null())
        .unwrap_or_default()
}

/// The table of the Glue catalogue that an asset is, by its ARN; nothing for assets of warehouses.
pub(super) fn lake_table_of(asset: &Value) -> Option<TableRef> {
    let content = content_of(asset, GLUE.form);
    let arn = text(&content, "tableArn").strip_prefix("arn:aws:glue:")?;
    let (place, path) = arn.split_once(":table/")?;
    let (region, account) = place.split_once(':')?;
    let (database, name) = path.split_once('/')?;
    Some(TableRef {
        account: account.to_owned(),
        region: region.to_owned(),
        database: database.to_owned(),
        name: name.to_owned(),
    })
}

/// `CreateAsset`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("owningProjectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Worker)?;
    let kind = call.text("typeIdentifier");
    if asset_type(kind).is_none() {
        return Err(invalid(format!("The asset type {kind} does not exist in the sandbox")));
    }
    let mut asset = visit.document(&visit.room.new_id("ast"), &user);
    asset["revision"] = json!("1");
    asset["typeRevision"] = json!("1");
    asset["owningProjectId"] = json!(project);
    asset["firstRevisionCreatedAt"] = asset["createdAt"].clone();
    asset["firstRevisionCreatedBy"] = json!(user);
    asset["formsOutput"] = given_forms(call);
    asset["readOnlyFormsOutput"] = json!([]);
    asset["_revisions"] = json!([]);
    copy(
        call.input,
        &mut asset,
        &[
            "name",
            "description",
            "typeIdentifier",
            "externalIdentifier",
            "glossaryTerms",
            "predictionConfiguration",
        ],
    );
    visit.room.put(ASSET, &asset);
    if flag(&call.input["predictionConfiguration"]["businessNameGeneration"], "enabled") {
        visit.room.after(15, "names_generated", text(&asset, "id"));
    }
    Ok(asset)
}

fn given_forms(call: &Call<'_>) -> Value {
    let forms = elements(call.input, "formsInput").iter().map(|given| {
        json!({
            "formName": given["formName"],
            "typeName": given.get("typeIdentifier").unwrap_or(&given["formName"]),
            "typeRevision": given.get("typeRevision").cloned().unwrap_or_else(|| json!("1")),
            "content": given.get("content").cloned().unwrap_or_else(|| json!("{}")),
        })
    });
    forms.collect()
}

/// `CreateAssetRevision`: name, words and forms are replaced whole.
pub(super) fn create_revision(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut asset, user) = to_change(&visit, call.text("identifier"))?;
    revise(&visit.room, &mut asset, &user);
    for member in ["description", "glossaryTerms"] {
        asset[member] = Value::Null;
    }
    asset["formsOutput"] = given_forms(call);
    copy(
        call.input,
        &mut asset,
        &["name", "description", "glossaryTerms", "predictionConfiguration"],
    );
    visit.room.put(ASSET, &asset);
    Ok(asset)
}

/// `GetAsset`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let asset = to_read(&visit, call.text("identifier"))?;
    let mut shown = revision(&asset, call.text("revision"))?;
    shown["listing"] = asset["listing"].clone();
    Ok(shown)
}

/// An asset, when the caller may look at the inventory of its project.
pub(super) fn to_read(visit: &Visit<'_>, id: &str) -> Result<Value, AwsFault> {
    let asset = visit.room.get(ASSET, id)?;
    project_to_read(visit, text(&asset, "owningProjectId"))?;
    Ok(asset)
}

/// An asset, when the caller may curate it.
pub(super) fn to_change(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let asset = visit.room.get(ASSET, id)?;
    let (_, user) = project_for(visit, text(&asset, "owningProjectId"), Standing::Steward)?;
    Ok((asset, user))
}

/// `ListAssetRevisions`, newest first.
pub(super) fn list_revisions(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let asset = to_read(&visit, call.text("identifier"))?;
    let mut items = elements(&asset, "_revisions").to_vec();
    items.push(asset);
    items.reverse();
    page(call, "items", items, 50)
}

/// `DeleteAsset`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (asset, _) = to_change(&visit, call.text("identifier"))?;
    let listed = &asset["listing"];
    if matches!(text(listed, "listingStatus"), "ACTIVE" | "CREATING") {
        return Err(conflict(format!(
            "Asset {} is published as listing {}: unpublish it first",
            text(&asset, "id"),
            text(listed, "listingId")
        )));
    }
    visit.room.remove(ASSET, &asset);
    Ok(json!({}))
}
