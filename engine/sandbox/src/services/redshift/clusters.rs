//! Making, showing, changing and deleting clusters.

use serde_json::{Value, json};

use super::shown::shown;
use super::state::{Cluster, KIND, Status, cluster, invalid, next_namespace, not_found, page};
use super::tags;
use crate::people::hex;
use crate::services::{AwsFault, Call, Reply, kms, secretsmanager};
use crate::sql::Warehouse;
use crate::world::{Due, Scope, World};

/// The key that AWS uses when nobody names one.
const OWNED_KEY: &str = "AWS_OWNED_KMS_KEY";

const NODE_TYPES: [&str; 9] = [
    "ra3.large",
    "ra3.xlplus",
    "ra3.4xlarge",
    "ra3.16xlarge",
    "rg.xlarge",
    "rg.4xlarge",
    "dc2.large",
    "dc2.8xlarge",
    "dc1.large",
];

/// User names that Redshift keeps for itself.
const RESERVED_USERS: [&str; 5] = ["rdsdb", "public", "user", "postgres", "root"];

/// CreateCluster.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let (scope, identifier) = (call.scope(), call.text("ClusterIdentifier"));
    check_identifier(identifier)?;
    if cluster(call.world, &scope, identifier).is_some() {
        return Err(AwsFault::new(
            "ClusterAlreadyExists",
            format!("Cluster already exists: {identifier}"),
        ));
    }
    let master = call.text("MasterUsername").to_lowercase();
    if RESERVED_USERS.contains(&master.as_str()) || !is_name(&master) {
        return Err(invalid(format!("Invalid master user name: {master}")));
    }
    check_node_type(call.text("NodeType"))?;
    let namespace = next_namespace(call.world);
    let (password, secret) = master_password(call, &scope, &namespace, identifier, &master)?;
    check_key(call)?;
    let encrypted = flag(call.input, "Encrypted").unwrap_or(true);
    let database = match call.text("DBName") {
        "" => "dev".to_owned(),
        name => name.to_lowercase(),
    };
    let text = |member: &str, otherwise: &str| match call.text(member) {
        "" => otherwise.to_owned(),
        given => given.to_owned(),
    };
    let mut created = Cluster {
        identifier: identifier.to_owned(),
        namespace,
        status: Status::Creating,
        node_type: call.text("NodeType").to_owned(),
        number_of_nodes: nodes(call)?,
        encrypted,
        kms_key_id: encrypted.then(|| text("KmsKeyId", OWNED_KEY)),
        database,
        master_username: master,
        master_secret_arn: secret,
        created: call.world.now_text(),
        port: call.input.get("Port").and_then(Value::as_i64).unwrap_or(5439),
        availability_zone: text("AvailabilityZone", &format!("{}a", call.region)),
        publicly_accessible: flag(call.input, "PubliclyAccessible").unwrap_or(false),
        enhanced_vpc_routing: flag(call.input, "EnhancedVpcRouting").unwrap_or(false),
        subnet_group: text("ClusterSubnetGroupName", "default"),
        iam_roles: strings(call.input, "IamRoles"),
        tags: tags::given(call.input),
    };
    Warehouse::create(
        call.world,
        &scope,
        &created.namespace,
        &created.database,
        &created.master_username,
        Some(&password),
    );
    created.enter(call.world, &scope, Status::Creating);
    Ok(json!({"Cluster": shown(&created, &scope)}))
}

/// The master password, and the secret that keeps it when Redshift manages it.
fn master_password(
    call: &Call<'_>,
    scope: &Scope,
    namespace: &str,
    identifier: &str,
    master: &str,
) -> Result<(String, Option<String>), AwsFault> {
    let managed = flag(call.input, "ManageMasterPassword").unwrap_or(false);
    match (call.text("MasterUserPassword"), managed) {
        ("", false) => {
            Err(combination("You must specify either MasterUserPassword or ManageMasterPassword."))
        }
        ("", true) => {
            let password = made_password(namespace);
            let secret = manage_password(call.world, scope, identifier, master, &password);
            Ok((password, Some(secret)))
        }
        (_, true) => Err(combination(
            "You can't specify MasterUserPassword when ManageMasterPassword is true.",
        )),
        (password, false) => {
            check_password(password)?;
            Ok((password.to_owned(), None))
        }
    }
}

fn made_password(namespace: &str) -> String {
    format!("Sb1{}", hex(&format!("master password/{namespace}"), 24))
}

/// Puts the password into a secret that Redshift owns; its ARN comes back.
fn manage_password(
    world: &World<'_>,
    scope: &Scope,
    identifier: &str,
    master: &str,
    password: &str,
) -> String {
    let value = json!({"username": master, "password": password});
    let name = format!("redshift!{identifier}-{master}");
    secretsmanager::create_managed(world, scope, "redshift", &name, &value)
}

/// DescribeClusters.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let clusters = match call.text("ClusterIdentifier") {
        "" => call.world.list::<Cluster>(&scope, KIND),
        identifier => vec![found(call, identifier)?],
    };
    let items = clusters
        .iter()
        .filter(|cluster| tags::fit(call.input, cluster))
        .map(|cluster| shown(cluster, &scope))
        .collect();
    let (items, marker) = page(call.input, items);
    let mut output = json!({"Clusters": items});
    if let Some(marker) = marker {
        output["Marker"] = json!(marker);
    }
    Ok(output)
}

/// DeleteCluster: the data is gone when the cluster is.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let (scope, mut cluster) = (call.scope(), found(call, call.text("ClusterIdentifier"))?);
    let skip = flag(call.input, "SkipFinalClusterSnapshot").unwrap_or(false);
    match (skip, call.text("FinalClusterSnapshotIdentifier")) {
        (false, "") => {
            return Err(combination(
                "FinalClusterSnapshotIdentifier is required unless SkipFinalClusterSnapshot is specified.",
            ));
        }
        (true, "") => {}
        (true, _) => {
            return Err(combination(
                "FinalClusterSnapshotIdentifier can't be specified when SkipFinalClusterSnapshot is true.",
            ));
        }
        (false, _) => return Err(not_implemented("DeleteCluster.FinalClusterSnapshotIdentifier")),
    }
    if matches!(cluster.status, Status::Deleting | Status::Creating) {
        return Err(wrong_state(&cluster));
    }
    cluster.enter(call.world, &scope, Status::Deleting);
    Ok(json!({"Cluster": shown(&cluster, &scope)}))
}

/// Pause, resume, reboot: from one state into one that passes.
pub(super) fn pass(call: &Call<'_>, from: Status, through: Status) -> Reply {
    let (scope, mut cluster) = (call.scope(), found(call, call.text("ClusterIdentifier"))?);
    if cluster.status != from {
        return Err(wrong_state(&cluster));
    }
    cluster.enter(call.world, &scope, through);
    Ok(json!({"Cluster": shown(&cluster, &scope)}))
}

/// ModifyCluster: a password or a name at once, size and encryption after a while.
pub(super) fn modify(call: &Call<'_>) -> Reply {
    let (scope, mut cluster) = (call.scope(), found(call, call.text("ClusterIdentifier"))?);
    if cluster.status != Status::Available {
        return Err(wrong_state(&cluster));
    }
    refuse_unknown_changes(call.input)?;
    let mut slow = false;
    let node_type = call.text("NodeType");
    if !node_type.is_empty() && node_type != cluster.node_type {
        check_node_type(node_type)?;
        node_type.clone_into(&mut cluster.node_type);
        slow = true;
    }
    if call.input.get("NumberOfNodes").is_some() || !call.text("ClusterType").is_empty() {
        let wanted = nodes(call)?;
        slow |= wanted != cluster.number_of_nodes;
        cluster.number_of_nodes = wanted;
    }
    check_key(call)?;
    let key = call.text("KmsKeyId");
    if let Some(encrypted) = flag(call.input, "Encrypted") {
        slow |= encrypted != cluster.encrypted;
        cluster.encrypted = encrypted;
        cluster.kms_key_id = encrypted.then(|| OWNED_KEY.to_owned());
    }
    if !key.is_empty() {
        cluster.kms_key_id = Some(key.to_owned());
    }
    cluster.publicly_accessible =
        flag(call.input, "PubliclyAccessible").unwrap_or(cluster.publicly_accessible);
    cluster.enhanced_vpc_routing =
        flag(call.input, "EnhancedVpcRouting").unwrap_or(cluster.enhanced_vpc_routing);
    change_password(call, &scope, &mut cluster)?;
    rename(call, &scope, &mut cluster)?;
    if slow {
        cluster.enter(call.world, &scope, Status::Modifying);
    } else {
        cluster.save(call.world, &scope);
    }
    Ok(json!({"Cluster": shown(&cluster, &scope)}))
}

fn refuse_unknown_changes(input: &Value) -> Result<(), AwsFault> {
    const KNOWN: [&str; 11] = [
        "ClusterIdentifier",
        "NodeType",
        "NumberOfNodes",
        "ClusterType",
        "KmsKeyId",
        "Encrypted",
        "PubliclyAccessible",
        "EnhancedVpcRouting",
        "MasterUserPassword",
        "ManageMasterPassword",
        "NewClusterIdentifier",
    ];
    let members = input.as_object().into_iter().flat_map(serde_json::Map::keys);
    match members.into_iter().find(|member| !KNOWN.contains(&member.as_str())) {
        None => Ok(()),
        Some(member) => Err(not_implemented(&format!("ModifyCluster.{member}"))),
    }
}

fn not_implemented(what: &str) -> AwsFault {
    AwsFault {
        code: "NotImplementedInSandbox".to_owned(),
        message: format!("{what} is not implemented in the sandbox"),
        status: Some(501),
    }
}

fn change_password(call: &Call<'_>, scope: &Scope, cluster: &mut Cluster) -> Result<(), AwsFault> {
    let given = call.text("MasterUserPassword");
    let managed = flag(call.input, "ManageMasterPassword");
    if !given.is_empty() {
        check_password(given)?;
        if managed == Some(true) {
            return Err(combination(
                "You can't specify MasterUserPassword when ManageMasterPassword is true.",
            ));
        }
    }
    let password = match (managed, &cluster.master_secret_arn) {
        (Some(true), None) => {
            let password = made_password(&cluster.namespace);
            cluster.master_secret_arn = Some(manage_password(
                call.world,
                scope,
                &cluster.identifier,
                &cluster.master_username,
                &password,
            ));
            Some(password)
        }
        (Some(false), Some(secret)) => {
            secretsmanager::delete_managed(call.world, scope, secret);
            cluster.master_secret_arn = None;
            (!given.is_empty()).then(|| given.to_owned())
        }
        _ => (!given.is_empty()).then(|| given.to_owned()),
    };
    if let (Some(password), Some(mut warehouse)) =
        (password, Warehouse::open(call.world, &cluster.namespace))
    {
        warehouse.set_password(&cluster.master_username, &password);
    }
    Ok(())
}

fn rename(call: &Call<'_>, scope: &Scope, cluster: &mut Cluster) -> Result<(), AwsFault> {
    let name = call.text("NewClusterIdentifier");
    if name.is_empty() || name == cluster.identifier {
        return Ok(());
    }
    check_identifier(name)?;
    if super::cluster(call.world, scope, name).is_some() {
        return Err(AwsFault::new(
            "ClusterAlreadyExists",
            format!("Cluster already exists: {name}"),
        ));
    }
    call.world.delete(scope, KIND, &cluster.identifier);
    name.clone_into(&mut cluster.identifier);
    Ok(())
}

/// Ends a state that passes, unless the cluster has left it or is another one by now.
pub(super) fn arrive(world: &World<'_>, due: &Due) {
    let text = |member: &str| due.event.get(member).and_then(Value::as_str).unwrap_or_default();
    let same = |cluster: &Cluster| {
        cluster.namespace == text("namespace") && cluster.status.word() == text("leaves")
    };
    let Some(mut cluster) = cluster(world, &due.scope, text("cluster")).filter(same) else {
        return;
    };
    if cluster.status != Status::Deleting {
        if let Some((_, next)) = cluster.status.passes() {
            cluster.enter(world, &due.scope, next);
        }
        return;
    }
    if let Some(warehouse) = Warehouse::open(world, &cluster.namespace) {
        warehouse.destroy().unwrap_or_else(|error| {
            panic!("a deleted cluster's tables cannot be dropped: {error}")
        });
    }
    if let Some(secret) = &cluster.master_secret_arn {
        secretsmanager::delete_managed(world, &due.scope, secret);
    }
    world.delete(&due.scope, KIND, &cluster.identifier);
    let record = json!({
        "identifier": cluster.identifier, "namespace": cluster.namespace_arn(&due.scope),
    });
    world.remember(&due.scope, "redshift/deleted_cluster", &record);
}

pub(super) fn found(call: &Call<'_>, identifier: &str) -> Result<Cluster, AwsFault> {
    cluster(call.world, &call.scope(), identifier).ok_or_else(|| not_found(identifier))
}

fn wrong_state(cluster: &Cluster) -> AwsFault {
    AwsFault::new(
        "InvalidClusterState",
        format!(
            "There is an operation running on the Cluster, or its state does not allow this. Please try to perform the operation when the cluster is in another state than {}.",
            cluster.status.word()
        ),
    )
}

fn combination(message: &str) -> AwsFault {
    AwsFault {
        code: "InvalidParameterCombination".to_owned(),
        message: message.to_owned(),
        status: Some(400),
    }
}

pub(super) fn flag(input: &Value, member: &str) -> Option<bool> {
    input.get(member).and_then(Value::as_bool)
}

pub(super) fn strings(input: &Value, member: &str) -> Vec<String> {
    let list = input.get(member).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn nodes(call: &Call<'_>) -> Result<i64, AwsFault> {
    let given = call.input.get("NumberOfNodes").and_then(Value::as_i64);
    match (call.text("ClusterType"), given) {
        ("single-node", Some(count)) if count != 1 => {
            Err(combination("Number of nodes for cluster type single-node must be 1."))
        }
        ("single-node", _) | ("", None) => Ok(1),
        ("multi-node", None | Some(..=1)) => Err(combination(
            "Number of nodes for cluster type multi-node must be greater than or equal to 2",
        )),
        (_, Some(count)) if (1..=128).contains(&count) => Ok(count),
        (_, count) => {
            Err(invalid(format!("Invalid number of nodes: {}", count.unwrap_or_default())))
        }
    }
}

/// Refuses a key of the customer's that is not there or that Redshift may not use.
fn check_key(call: &Call<'_>) -> Result<(), AwsFault> {
    let (key, redshift) = (call.text("KmsKeyId"), kms::User::Service("redshift.amazonaws.com"));
    if key.is_empty() || kms::usable(call.world, &call.scope(), key, redshift) {
        return Ok(());
    }
    Err(AwsFault::new(
        "DependentServiceAccessDeniedFault",
        format!("The KMS key {key} does not exist, is not enabled, or cannot be used by Redshift."),
    ))
}

fn check_node_type(node_type: &str) -> Result<(), AwsFault> {
    if NODE_TYPES.contains(&node_type) {
        return Ok(());
    }
    Err(invalid(format!("Invalid node type: {node_type}")))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+_.@-".contains(c))
}

fn check_identifier(identifier: &str) -> Result<(), AwsFault> {
    let fine = (1..=63).contains(&identifier.len())
        && identifier.starts_with(|first: char| first.is_ascii_lowercase())
        && identifier.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !identifier.ends_with('-')
        && !identifier.contains("--");
    if fine {
        return Ok(());
    }
    Err(invalid(
        "The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin with a letter; must contain only lowercase ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.",
    ))
}

fn check_password(password: &str) -> Result<(), AwsFault> {
    match password_rule(password) {
        None => Ok(()),
        Some(rule) => Err(invalid(format!(
            "The parameter MasterUserPassword is not a valid password because it should {rule}."
        ))),
    }
}

/// The rule that a superuser's password breaks, as the end of "it should".
pub(crate) fn password_rule(password: &str) -> Option<&'static str> {
    let missing = [
        (!(8..=64).contains(&password.len()), "be 8 to 64 characters long"),
        (
            !password.contains(|c: char| c.is_ascii_uppercase()),
            "contain at least one uppercase character",
        ),
        (
            !password.contains(|c: char| c.is_ascii_lowercase()),
            "contain at least one lowercase character",
        ),
        (!password.contains(|c: char| c.is_ascii_digit()), "contain at least one number"),
        (password.contains(['\'', '"', '\\', '/', '@', ' ']), "not contain ' \" \\ / @ or a space"),
    ];
    missing.into_iter().find(|(missing, _)| *missing).map(|(_, rule)| rule)
}
