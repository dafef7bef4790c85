//! Named queries: texts that are kept for later.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::workgroups::{self, PRIMARY};
use super::{invalid, paging};
use crate::services::pages::texts;
use crate::services::redshift::uuid;
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Scope, World};

const KIND: &str = "athena/named_query";

/// One named query.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedQuery {
    id: String,
    name: String,
    description: Option<String>,
    database: String,
    query: String,
    workgroup: String,
}

impl NamedQuery {
    fn shown(&self) -> Value {
        let mut shown = json!({
            "NamedQueryId": self.id, "Name": self.name, "Database": self.database,
            "QueryString": self.query, "WorkGroup": self.workgroup,
        });
        if let Some(description) = &self.description {
            shown["Description"] = json!(description);
        }
        shown
    }
}

fn of_workgroup(world: &World<'_>, scope: &Scope, name: &str) -> Vec<NamedQuery> {
    let mut found = world.list::<NamedQuery>(scope, KIND);
    found.retain(|query| query.workgroup == name);
    found
}

/// Whether a workgroup has any.
pub(super) fn any(world: &World<'_>, scope: &Scope, name: &str) -> bool {
    !of_workgroup(world, scope, name).is_empty()
}

/// Removes those of a workgroup.
pub(super) fn forget(world: &World<'_>, scope: &Scope, name: &str) {
    for query in of_workgroup(world, scope, name) {
        world.delete(scope, KIND, &query.id);
    }
}

/// The workgroup of a named query.
pub(super) fn workgroup(world: &World<'_>, scope: &Scope, id: &str) -> Option<String> {
    world.get::<NamedQuery>(scope, KIND, id).map(|query| query.workgroup)
}

fn found(call: &Call<'_>, id: &str) -> Result<NamedQuery, AwsFault> {
    call.world
        .get(&call.scope(), KIND, id)
        .ok_or_else(|| invalid(format!("NamedQuery {id} was not found")))
}

/// CreateNamedQuery.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let workgroup = match call.text("WorkGroup") {
        "" => PRIMARY,
        name => name,
    };
    workgroups::named(call, workgroup)?;
    let number = call.world.next_number("athena named query");
    let query = NamedQuery {
        id: uuid(&format!("named query/{number}")),
        name: call.text("Name").to_owned(),
        description: call.input.get("Description").and_then(Value::as_str).map(str::to_owned),
        database: call.text("Database").to_owned(),
        query: call.text("QueryString").to_owned(),
        workgroup: workgroup.to_owned(),
    };
    call.world.put(&call.scope(), KIND, &query.id, &query);
    Ok(json!({"NamedQueryId": query.id}))
}

/// GetNamedQuery.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({"NamedQuery": found(call, call.text("NamedQueryId"))?.shown()}))
}

/// BatchGetNamedQuery.
pub(super) fn get_many(call: &Call<'_>) -> Reply {
    let (mut known, mut missing) = (vec![], vec![]);
    for id in texts(call.input, "NamedQueryIds") {
        match found(call, &id) {
            Ok(query) => known.push(query.shown()),
            Err(error) => missing.push(json!({
                "NamedQueryId": id, "ErrorCode": error.code, "ErrorMessage": error.message,
            })),
        }
    }
    Ok(json!({"NamedQueries": known, "UnprocessedNamedQueryIds": missing}))
}

/// ListNamedQueries.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let workgroup = super::workgroup_of(call);
    workgroups::named(call, &workgroup)?;
    let found = of_workgroup(call.world, &call.scope(), &workgroup);
    paging(50).page(call, "NamedQueryIds", found.iter().map(|query| json!(query.id)).collect())
}

/// UpdateNamedQuery.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut query = found(call, call.text("NamedQueryId"))?;
    call.text("Name").clone_into(&mut query.name);
    call.text("QueryString").clone_into(&mut query.query);
    if let Some(description) = call.input.get("Description").and_then(Value::as_str) {
        query.description = Some(description.to_owned());
    }
    call.world.put(&call.scope(), KIND, &query.id, &query);
    Ok(json!({}))
}

/// DeleteNamedQuery.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let query = found(call, call.text("NamedQueryId"))?;
    call.world.delete(&call.scope(), KIND, &query.id);
    Ok(json!({}))
}
