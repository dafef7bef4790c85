//! Datashares: what SQL made, with the consents that the administrators of two accounts give.
//!
//! Within an account a share works once it is granted in SQL. For another account its producer
//! authorises that account, and the consumer associates one of its namespaces, or all.

use serde_json::{Value, json};

use super::clusters::flag;
use super::state::{Cluster, KIND, arn, invalid, page};
use crate::services::redshift_serverless::namespaces;
use crate::services::{AwsFault, Call, Reply};
use crate::sql::{ShareInfo, Warehouse};
use crate::world::{Scope, World};

/// A warehouse that may have datashares.
struct Producer {
    scope: Scope,
    namespace: String,
    namespace_arn: String,
}

/// Every warehouse: of clusters, then of serverless namespaces.
fn producers(world: &World<'_>) -> Vec<Producer> {
    let clusters = world.list_everywhere::<Cluster>(KIND).into_iter().map(|stored| Producer {
        namespace_arn: stored.document.namespace_arn(&stored.scope),
        namespace: stored.document.namespace,
        scope: stored.scope,
    });
    let serverless = namespaces(world).into_iter().map(|stored| Producer {
        namespace_arn: stored.document.arn(&stored.scope),
        namespace: stored.document.id,
        scope: stored.scope,
    });
    clusters.chain(serverless).collect()
}

/// ARN of a datashare, of a serverless namespace too.
pub(crate) fn datashare_arn(scope: &Scope, namespace: &str, name: &str) -> String {
    arn(scope, &format!("datashare:{namespace}/{name}"))
}

/// DescribeDataShares, the shares of the caller's account, and its two narrower forms.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut items = vec![];
    for producer in producers(call.world) {
        let Some(warehouse) = Warehouse::open(call.world, &producer.namespace) else { continue };
        for info in warehouse.datashares() {
            let side = match call.operation {
                "DescribeDataSharesForConsumer" => Side::Consumer,
                _ => Side::Producer,
            };
            let here = match side {
                Side::Producer => producer.scope == scope,
                Side::Consumer => {
                    producer.scope.region == scope.region
                        && producer.scope != scope
                        && info.authorised.contains(&scope.account)
                }
            };
            if here && let Some(share) = wanted(call, &producer, &info, side) {
                items.push(share);
            }
        }
    }
    let (items, marker) = page(call.input, items);
    let mut output = json!({ "DataShares": items });
    if let Some(marker) = marker {
        output["Marker"] = json!(marker);
    }
    Ok(output)
}

/// Who looks at a datashare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Producer,
    Consumer,
}

/// The share as the caller's side sees it, when it fits the input's filters.
fn wanted(call: &Call<'_>, producer: &Producer, info: &ShareInfo, side: Side) -> Option<Value> {
    let shown = shown(call, producer, info, side);
    let fits = |member: &str, actual: &Value| match call.text(member) {
        "" => true,
        wanted => actual == wanted,
    };
    let associations = shown["DataShareAssociations"].as_array().cloned().unwrap_or_default();
    let any = |member: &str, shown: &str| {
        call.text(member).is_empty() || associations.iter().any(|one| fits(member, &one[shown]))
    };
    let kept = fits("DataShareArn", &shown["DataShareArn"])
        && fits("ProducerArn", &shown["ProducerArn"])
        && any("Status", "Status")
        && any("ConsumerArn", "ConsumerIdentifier");
    kept.then_some(shown)
}

fn shown(call: &Call<'_>, producer: &Producer, info: &ShareInfo, side: Side) -> Value {
    json!({
        "DataShareArn": datashare_arn(&producer.scope, &producer.namespace, &info.name),
        "ProducerArn": producer.namespace_arn,
        "AllowPubliclyAccessibleConsumers": info.public,
        "DataShareAssociations": associations(call, producer, info, side),
        "DataShareType": "INTERNAL",
    })
}

fn associations(call: &Call<'_>, producer: &Producer, info: &ShareInfo, side: Side) -> Vec<Value> {
    let region = &producer.scope.region;
    let entry = |consumer: &str, status: &str| json!({ "ConsumerIdentifier": consumer, "Status": status, "ConsumerRegion": region });
    if side == Side::Consumer {
        let mine = associated_of(call.world, info, &call.principal.account);
        return match mine.is_empty() {
            true => vec![entry(&call.principal.account, "AVAILABLE")],
            false => mine.iter().map(|consumer| entry(consumer, "ACTIVE")).collect(),
        };
    }
    let consumers = info.consumers.iter().map(|consumer| {
        let (kind, identifier) = consumer.split_once(' ').unwrap_or(("", consumer));
        // Within an account a share works at once; another account's waits for two consents.
        let status = match kind {
            "NAMESPACE" => "ACTIVE",
            _ if identifier == producer.scope.account => "ACTIVE",
            _ if !info.authorised.iter().any(|account| account == identifier) => {
                "PENDING_AUTHORIZATION"
            }
            _ if associated_of(call.world, info, identifier).is_empty() => "AUTHORIZED",
            _ => "ACTIVE",
        };
        entry(identifier, status)
    });
    consumers.collect()
}

/// What of an account is associated, as ARNs of namespaces, or the account when all of it is.
fn associated_of(world: &World<'_>, info: &ShareInfo, account: &str) -> Vec<String> {
    let whole = format!("ACCOUNT {account}");
    if info.associated.contains(&whole) {
        return vec![account.to_owned()];
    }
    let mine = producers(world).into_iter().filter(|own| own.scope.account == account);
    mine.filter(|own| info.associated.contains(&own.namespace))
        .map(|own| own.namespace_arn)
        .collect()
}

/// AuthorizeDataShare and DeauthorizeDataShare, by the producer's account.
pub(super) fn authorise(call: &Call<'_>, give: bool) -> Reply {
    let (producer, mut warehouse, name) = named(call)?;
    if producer.scope.account != call.principal.account {
        return Err(no_share(call));
    }
    let consumer = call.text("ConsumerIdentifier");
    if !warehouse.authorise(&name, consumer, give) {
        return Err(invalid_share(format!("The datashare {name} is not granted to {consumer}.")));
    }
    answer(call, &producer, &warehouse, &name, Side::Producer)
}

/// AssociateDataShareConsumer and DisassociateDataShareConsumer, by the consumer's account.
pub(super) fn associate(call: &Call<'_>, give: bool) -> Reply {
    let (producer, mut warehouse, name) = named(call)?;
    let account = &call.principal.account;
    let entire = if give { "AssociateEntireAccount" } else { "DisassociateEntireAccount" };
    let consumer = match (flag(call.input, entire), call.text("ConsumerArn")) {
        (Some(true), "") => format!("ACCOUNT {account}"),
        (Some(false) | None, arn) if !arn.is_empty() => producers(call.world)
            .into_iter()
            .find(|own| own.namespace_arn == arn && own.scope.account == *account)
            .map(|own| own.namespace)
            .ok_or_else(|| {
                AwsFault::new("InvalidNamespaceFault", format!("The namespace {arn} is not valid."))
            })?,
        _ => return Err(invalid(format!("Give either ConsumerArn or {entire}."))),
    };
    if !warehouse.associate(&name, account, &consumer, give) {
        return Err(no_share(call));
    }
    answer(call, &producer, &warehouse, &name, Side::Consumer)
}

fn answer(
    call: &Call<'_>,
    producer: &Producer,
    warehouse: &Warehouse<'_>,
    name: &str,
    side: Side,
) -> Reply {
    let shares = warehouse.datashares();
    let info = shares.iter().find(|info| info.name == name).ok_or_else(|| no_share(call))?;
    Ok(shown(call, producer, info, side))
}

/// The datashare that the input names, with its warehouse.
fn named<'w>(call: &Call<'w>) -> Result<(Producer, Warehouse<'w>, String), AwsFault> {
    let arn = call.text("DataShareArn");
    let (_, share) = arn.split_once(":datashare:").ok_or_else(|| no_share(call))?;
    let (namespace, name) = share.split_once('/').ok_or_else(|| no_share(call))?;
    let producer = producers(call.world)
        .into_iter()
        .find(|known| known.namespace == namespace)
        .filter(|known| {
            known.scope.region == call.region && datashare_arn(&known.scope, namespace, name) == arn
        })
        .ok_or_else(|| no_share(call))?;
    let warehouse = Warehouse::open(call.world, namespace).ok_or_else(|| no_share(call))?;
    match warehouse.datashares().iter().any(|info| info.name == name) {
        true => Ok((producer, warehouse, name.to_owned())),
        false => Err(no_share(call)),
    }
}

fn no_share(call: &Call<'_>) -> AwsFault {
    invalid_share(format!("The datashare {} does not exist.", call.text("DataShareArn")))
}

fn invalid_share(message: String) -> AwsFault {
    AwsFault::new("InvalidDataShareFault", message)
}
