//! Making, showing, changing and deleting workgroups.

use serde_json::{Map, Value, json};
use time::Duration;

use super::state::{
    Status, WORKGROUP, Workgroup, conflict, namespace, not_found, page, refuse_unknown,
    take_settings, workgroup,
};
use super::tags;
use crate::services::redshift::uuid;
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Due, Scope, World};

/// Members that are kept and shown, and do nothing here.
const SETTINGS: [&str; 12] = [
    "baseCapacity",
    "configParameters",
    "enhancedVpcRouting",
    "extraComputeForAutomaticOptimization",
    "ipAddressType",
    "maxCapacity",
    "port",
    "pricePerformanceTarget",
    "publiclyAccessible",
    "securityGroupIds",
    "subnetIds",
    "trackName",
];

/// CreateWorkgroup.
pub(super) fn create(call: &Call<'_>) -> Reply {
    refuse_unknown(call, &[&["workgroupName", "namespaceName", "tags"], &SETTINGS])?;
    let (scope, name) = (call.scope(), call.text("workgroupName"));
    if workgroup(call.world, &scope, name).is_some() {
        return Err(conflict(format!("The workgroup {name} already exists.")));
    }
    let of = call.text("namespaceName");
    let namespace = namespace(call.world, &scope, of).ok_or_else(|| not_found("Namespace", of))?;
    if namespace.status != Status::Available {
        return Err(conflict(format!("The namespace {of} is {}.", namespace.status.word())));
    }
    let taken = call.world.list::<Workgroup>(&scope, WORKGROUP);
    if let Some(taken) = taken.iter().find(|known| known.namespace == of) {
        return Err(conflict(format!(
            "The namespace {of} already has the workgroup {}.",
            taken.name
        )));
    }
    let number = call.world.next_number("redshift serverless workgroup");
    let mut created = Workgroup {
        name: name.to_owned(),
        id: uuid(&format!("workgroup/{number}")),
        namespace: of.to_owned(),
        status: Status::Creating,
        created: call.world.now_text(),
        settings: presets(),
        tags: tags::given(call.input),
    };
    take_settings(call, &mut created.settings, &SETTINGS);
    pass(call.world, &scope, &mut created, Status::Creating);
    Ok(json!({ "workgroup": created.shown(&scope) }))
}

fn presets() -> Map<String, Value> {
    Map::from_iter([
        ("baseCapacity".to_owned(), json!(128)),
        ("enhancedVpcRouting".to_owned(), json!(false)),
        ("publiclyAccessible".to_owned(), json!(false)),
        ("port".to_owned(), json!(5439)),
        ("configParameters".to_owned(), json!([])),
        ("securityGroupIds".to_owned(), json!(["sg-0123456789abcdef0"])),
        ("subnetIds".to_owned(), json!(["subnet-0123456789abcdef0"])),
    ])
}

fn found(call: &Call<'_>) -> Result<Workgroup, AwsFault> {
    let name = call.text("workgroupName");
    workgroup(call.world, &call.scope(), name).ok_or_else(|| not_found("Workgroup", name))
}

/// GetWorkgroup.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({ "workgroup": found(call)?.shown(&call.scope()) }))
}

/// ListWorkgroups.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut items = call.world.list::<Workgroup>(&scope, WORKGROUP);
    items.retain(|_| {
        matches!(call.text("ownerAccount"), "" | "SELF")
            || call.text("ownerAccount") == scope.account
    });
    Ok(page(call, "workgroups", items.iter().map(|found| found.shown(&scope)).collect()))
}

/// UpdateWorkgroup.
pub(super) fn update(call: &Call<'_>) -> Reply {
    refuse_unknown(call, &[&["workgroupName"], &SETTINGS])?;
    let (scope, mut changed) = (call.scope(), found(call)?);
    is_idle(&changed)?;
    if take_settings(call, &mut changed.settings, &SETTINGS) {
        pass(call.world, &scope, &mut changed, Status::Modifying);
    }
    Ok(json!({ "workgroup": changed.shown(&scope) }))
}

/// DeleteWorkgroup: its namespace keeps the data.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let (scope, mut gone) = (call.scope(), found(call)?);
    is_idle(&gone)?;
    pass(call.world, &scope, &mut gone, Status::Deleting);
    Ok(json!({ "workgroup": gone.shown(&scope) }))
}

fn is_idle(workgroup: &Workgroup) -> Result<(), AwsFault> {
    match workgroup.status {
        Status::Available => Ok(()),
        status => Err(conflict(format!(
            "There is an operation running on the workgroup {}: it is {}.",
            workgroup.name,
            status.word()
        ))),
    }
}

/// Enters a state that ends by itself.
fn pass(world: &World<'_>, scope: &Scope, workgroup: &mut Workgroup, status: Status) {
    workgroup.status = status;
    workgroup.save(world, scope);
    let lasts = match status {
        Status::Creating => Duration::minutes(3),
        Status::Modifying | Status::Available => Duration::minutes(1),
        Status::Deleting => Duration::minutes(2),
    };
    let event = json!({ "workgroup": workgroup.name, "id": workgroup.id });
    world.schedule(world.now() + lasts, "redshift_serverless", scope, &event);
}

/// Ends a state that passes, unless the workgroup is another one by now.
pub(super) fn arrive(world: &World<'_>, due: &Due) {
    let text = |member: &str| due.event.get(member).and_then(Value::as_str).unwrap_or_default();
    let found = workgroup(world, &due.scope, text("workgroup"));
    let Some(mut workgroup) = found.filter(|workgroup| workgroup.id == text("id")) else { return };
    if workgroup.status != Status::Deleting {
        workgroup.status = Status::Available;
        workgroup.save(world, &due.scope);
        return;
    }
    world.delete(&due.scope, WORKGROUP, &workgroup.name);
    let record = json!({ "name": workgroup.name, "arn": workgroup.arn(&due.scope) });
    world.remember(&due.scope, "redshift_serverless/deleted_workgroup", &record);
}
