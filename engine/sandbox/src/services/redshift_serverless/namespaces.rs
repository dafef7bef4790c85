//! Making, showing, changing and deleting namespaces.

use serde_json::{Map, Value, json};
use time::Duration;

use super::state::{
    NAMESPACE, Namespace, Status, WORKGROUP, Workgroup, conflict, invalid, namespace, not_found,
    page, refuse_unknown, take_settings,
};
use super::tags;
use crate::people::hex;
use crate::services::redshift::{next_namespace, password_rule};
use crate::services::{AwsFault, Call, Reply, secretsmanager};
use crate::sql::Warehouse;
use crate::world::{Due, Scope, World};

/// The key that AWS uses when nobody names one: a namespace is always encrypted.
const OWNED_KEY: &str = "AWS_OWNED_KMS_KEY";
/// Members that are kept and shown, and do nothing here.
const SETTINGS: [&str; 4] =
    ["defaultIamRoleArn", "iamRoles", "logExports", "adminPasswordSecretKmsKeyId"];
/// How long a change takes.
const CHANGES: Duration = Duration::seconds(20);
/// How long a deletion takes.
const GOES: Duration = Duration::minutes(1);

/// CreateNamespace: it is available at once.
pub(super) fn create(call: &Call<'_>) -> Reply {
    const KNOWN: [&str; 7] = [
        "namespaceName",
        "adminUsername",
        "adminUserPassword",
        "manageAdminPassword",
        "dbName",
        "kmsKeyId",
        "tags",
    ];
    refuse_unknown(call, &[&KNOWN, &SETTINGS])?;
    let (scope, name) = (call.scope(), call.text("namespaceName"));
    if namespace(call.world, &scope, name).is_some() {
        return Err(conflict(format!("The namespace {name} already exists.")));
    }
    let id = next_namespace(call.world);
    let (admin, password, secret) = administrator(call, &scope, &id)?;
    let text = |member: &str, otherwise: &str| match call.text(member) {
        "" => otherwise.to_owned(),
        given => given.to_owned(),
    };
    let mut created = Namespace {
        name: name.to_owned(),
        id,
        status: Status::Available,
        admin_username: admin,
        admin_secret_arn: secret,
        database: text("dbName", "dev").to_lowercase(),
        kms_key_id: text("kmsKeyId", OWNED_KEY),
        created: call.world.now_text(),
        settings: Map::from_iter([
            ("iamRoles".to_owned(), json!([])),
            ("logExports".to_owned(), json!([])),
        ]),
        tags: tags::given(call.input),
    };
    take_settings(call, &mut created.settings, &SETTINGS);
    Warehouse::create(
        call.world,
        &scope,
        &created.id,
        &created.database,
        &created.admin_username,
        password.as_deref(),
    );
    created.save(call.world, &scope);
    Ok(json!({ "namespace": created.shown(&scope) }))
}

/// The superuser's name, their password if they have one, and the secret that keeps it when Redshift
/// manages it. Without any of it the user `admin` signs in through IAM alone.
fn administrator(
    call: &Call<'_>,
    scope: &Scope,
    id: &str,
) -> Result<(String, Option<String>, Option<String>), AwsFault> {
    let named = call.text("adminUsername").to_lowercase();
    let password = call.text("adminUserPassword");
    let managed = call.input["manageAdminPassword"].as_bool().unwrap_or(false);
    let user = if named.is_empty() { "admin".to_owned() } else { named.clone() };
    match (password, managed) {
        ("", true) => {
            let password = made_password(id);
            let secret = keep(call, scope, &user, &password);
            Ok((user, Some(password), Some(secret)))
        }
        (_, true) => Err(both()),
        ("", false) if named.is_empty() => Ok((user, None, None)),
        ("", false) => {
            Err(invalid("adminUsername needs adminUserPassword or manageAdminPassword."))
        }
        (password, false) => {
            check_password(password)?;
            Ok((user, Some(password.to_owned()), None))
        }
    }
}

fn both() -> AwsFault {
    invalid("You can't specify adminUserPassword when manageAdminPassword is true.")
}

fn made_password(id: &str) -> String {
    format!("Sb1{}", hex(&format!("admin password/{id}"), 24))
}

fn check_password(password: &str) -> Result<(), AwsFault> {
    match password_rule(password) {
        None => Ok(()),
        Some(rule) => Err(invalid(format!("The password is not valid because it should {rule}."))),
    }
}

/// Puts the password into a secret that Redshift owns; its ARN comes back.
fn keep(call: &Call<'_>, scope: &Scope, user: &str, password: &str) -> String {
    let value = json!({ "username": user, "password": password });
    let name = format!("redshift!{}-{user}", call.text("namespaceName"));
    secretsmanager::create_managed(call.world, scope, "redshift", &name, &value)
}

fn found(call: &Call<'_>) -> Result<Namespace, AwsFault> {
    let name = call.text("namespaceName");
    namespace(call.world, &call.scope(), name).ok_or_else(|| not_found("Namespace", name))
}

/// GetNamespace.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({ "namespace": found(call)?.shown(&call.scope()) }))
}

/// ListNamespaces.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let items = call.world.list::<Namespace>(&scope, NAMESPACE);
    Ok(page(call, "namespaces", items.iter().map(|found| found.shown(&scope)).collect()))
}

/// UpdateNamespace: the password counts at once, the state passes.
pub(super) fn update(call: &Call<'_>) -> Reply {
    const KNOWN: [&str; 5] =
        ["namespaceName", "adminUsername", "adminUserPassword", "manageAdminPassword", "kmsKeyId"];
    refuse_unknown(call, &[&KNOWN, &SETTINGS])?;
    let (scope, mut changed) = (call.scope(), found(call)?);
    is_idle(&changed)?;
    let named = call.text("adminUsername").to_lowercase();
    if !named.is_empty() && named != changed.admin_username {
        return Err(invalid("The administrator's name cannot be changed."));
    }
    let before = call.world.changes();
    change_password(call, &scope, &mut changed)?;
    take_settings(call, &mut changed.settings, &SETTINGS);
    if !call.text("kmsKeyId").is_empty() {
        call.text("kmsKeyId").clone_into(&mut changed.kms_key_id);
    }
    changed.save(call.world, &scope);
    if call.world.changes() > before {
        pass(call.world, &scope, &mut changed, Status::Modifying, CHANGES);
    }
    Ok(json!({ "namespace": changed.shown(&scope) }))
}

fn change_password(
    call: &Call<'_>,
    scope: &Scope,
    changed: &mut Namespace,
) -> Result<(), AwsFault> {
    let given = call.text("adminUserPassword");
    let managed = call.input["manageAdminPassword"].as_bool();
    if !given.is_empty() {
        check_password(given)?;
    }
    let password = match (managed, &changed.admin_secret_arn) {
        (Some(true), _) if !given.is_empty() => return Err(both()),
        (Some(true), None) => {
            let password = made_password(&changed.id);
            changed.admin_secret_arn = Some(keep(call, scope, &changed.admin_username, &password));
            Some(password)
        }
        (Some(false), Some(secret)) => {
            secretsmanager::delete_managed(call.world, scope, secret);
            changed.admin_secret_arn = None;
            (!given.is_empty()).then(|| given.to_owned())
        }
        _ => (!given.is_empty()).then(|| given.to_owned()),
    };
    if let (Some(password), Some(mut warehouse)) =
        (password, Warehouse::open(call.world, &changed.id))
    {
        warehouse.set_password(&changed.admin_username, &password);
    }
    Ok(())
}

/// DeleteNamespace: not while a workgroup makes it reachable.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    refuse_unknown(call, &[&["namespaceName"]])?;
    let (scope, mut gone) = (call.scope(), found(call)?);
    is_idle(&gone)?;
    let used = call.world.list::<Workgroup>(&scope, WORKGROUP);
    if let Some(workgroup) = used.iter().find(|workgroup| workgroup.namespace == gone.name) {
        return Err(conflict(format!(
            "The namespace {} still has the workgroup {}: delete that first.",
            gone.name, workgroup.name
        )));
    }
    pass(call.world, &scope, &mut gone, Status::Deleting, GOES);
    Ok(json!({ "namespace": gone.shown(&scope) }))
}

fn is_idle(namespace: &Namespace) -> Result<(), AwsFault> {
    match namespace.status {
        Status::Available => Ok(()),
        status => Err(conflict(format!(
            "There is an operation running on the namespace {}: it is {}.",
            namespace.name,
            status.word()
        ))),
    }
}

/// Enters a state that ends by itself.
fn pass(
    world: &World<'_>,
    scope: &Scope,
    namespace: &mut Namespace,
    status: Status,
    lasts: Duration,
) {
    namespace.status = status;
    namespace.save(world, scope);
    let event = json!({ "namespace": namespace.name, "id": namespace.id });
    world.schedule(world.now() + lasts, "redshift_serverless", scope, &event);
}

/// Ends a state that passes, unless the namespace is another one by now.
pub(super) fn arrive(world: &World<'_>, due: &Due) {
    let text = |member: &str| due.event.get(member).and_then(Value::as_str).unwrap_or_default();
    let found = namespace(world, &due.scope, text("namespace"));
    let Some(mut namespace) = found.filter(|namespace| namespace.id == text("id")) else { return };
    if namespace.status != Status::Deleting {
        namespace.status = Status::Available;
        namespace.save(world, &due.scope);
        return;
    }
    if let Some(warehouse) = Warehouse::open(world, &namespace.id) {
        warehouse.destroy().unwrap_or_else(|error| {
            panic!("a deleted namespace's tables cannot be dropped: {error}")
        });
    }
    if let Some(secret) = &namespace.admin_secret_arn {
        secretsmanager::delete_managed(world, &due.scope, secret);
    }
    world.delete(&due.scope, NAMESPACE, &namespace.name);
    let record = json!({ "name": namespace.name, "arn": namespace.arn(&due.scope) });
    world.remember(&due.scope, "redshift_serverless/deleted_namespace", &record);
}
