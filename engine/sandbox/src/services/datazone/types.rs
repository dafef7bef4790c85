//! The managed asset types that the sandbox knows. Custom types are not there.

use serde_json::{Value, json};

use super::room::{Room, Visit, invalid, missing, page, text};
use crate::services::{Call, Reply};

/// An asset type: its name and the form that it must have.
#[derive(Debug)]
pub(super) struct AssetType {
    /// `amazon.datazone.RedshiftTableAssetType`.
    pub(super) name: &'static str,
    /// `RedshiftTableForm`.
    pub(super) form: &'static str,
    /// `amazon.datazone.RedshiftTableFormType`.
    pub(super) form_type: &'static str,
    /// DataZone fulfils subscriptions to assets of this type by itself.
    pub(super) managed: bool,
}

/// A table in Redshift.
pub(super) static TABLE: AssetType = AssetType {
    name: "amazon.datazone.RedshiftTableAssetType",
    form: "RedshiftTableForm",
    form_type: "amazon.datazone.RedshiftTableFormType",
    managed: true,
};

/// A view in Redshift.
pub(super) static VIEW: AssetType = AssetType {
    name: "amazon.datazone.RedshiftViewAssetType",
    form: "RedshiftViewForm",
    form_type: "amazon.datazone.RedshiftViewFormType",
    managed: true,
};

/// A table of a Glue catalogue.
pub(super) static GLUE: AssetType = AssetType {
    name: "amazon.datazone.GlueTableAssetType",
    form: "GlueTableForm",
    form_type: "amazon.datazone.GlueTableFormType",
    managed: true,
};

static OBJECTS: AssetType = AssetType {
    name: "amazon.datazone.S3ObjectCollectionAssetType",
    form: "S3ObjectCollectionForm",
    form_type: "amazon.datazone.S3ObjectCollectionFormType",
    managed: false,
};

static ALL: [&AssetType; 4] = [&TABLE, &VIEW, &GLUE, &OBJECTS];

/// The asset type of this name.
pub(super) fn asset_type(name: &str) -> Option<&'static AssetType> {
    ALL.into_iter().find(|known| known.name == name)
}

fn described(room: &Room<'_>, known: &AssetType) -> Value {
    json!({
        "domainId": room.domain, "name": known.name, "revision": "1",
        "formsOutput": { known.form: {
            "typeName": known.form_type, "typeRevision": "1", "required": true } },
        "owningProjectId": "amazon-datazone",
        "createdBy": "SYSTEM",
    })
}

/// `GetAssetType`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let name = call.text("identifier");
    asset_type(name)
        .map(|known| described(&visit.room, known))
        .ok_or_else(|| missing("datazone/asset_type", name))
}

/// `SearchTypes`.
pub(super) fn search(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    if call.text("searchScope") != "ASSET_TYPE" {
        return Err(invalid("The sandbox searches types of assets only"));
    }
    let wanted = call.text("searchText").to_lowercase();
    let managed = call.input["managed"].as_bool().unwrap_or(true);
    let items: Vec<Value> = ALL
        .iter()
        .filter(|_| managed)
        .map(|known| described(&visit.room, known))
        .filter(|item| text(item, "name").to_lowercase().contains(&wanted))
        .map(|item| json!({ "assetTypeItem": item }))
        .collect();
    let count = items.len();
    let mut answer = page(call, "items", items, 50)?;
    answer["totalMatchCount"] = json!(count);
    Ok(answer)
}
