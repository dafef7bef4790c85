//! Datashares, as the API lists those that SQL made.

use serde_json::{Value, json};

use super::state::{Cluster, KIND, arn, page};
use crate::services::{Call, Reply};
use crate::sql::Warehouse;
use crate::world::{Scope, Stored};

/// DescribeDataShares and its two narrower forms.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut items = vec![];
    for Stored { scope: producer, document: cluster, .. } in
        call.world.list_everywhere::<Cluster>(KIND)
    {
        let Some(warehouse) = Warehouse::open(call.world, &cluster.namespace) else { continue };
        for (name, public, consumers) in warehouse.datashares() {
            let share = shown(call, &producer, &cluster, &name, public, &consumers);
            let own = producer == scope;
            let for_us = consumers.contains(&format!("ACCOUNT {}", scope.account));
            let wanted = match call.operation {
                "DescribeDataSharesForProducer" => own && fits(call, "ProducerArn", &share),
                "DescribeDataSharesForConsumer" => for_us && producer.region == scope.region,
                _ => own && fits(call, "DataShareArn", &share),
            };
            if wanted {
                items.push(share);
            }
        }
    }
    let (items, marker) = page(call.input, items);
    let mut output = json!({"DataShares": items});
    if let Some(marker) = marker {
        output["Marker"] = json!(marker);
    }
    Ok(output)
}

fn fits(call: &Call<'_>, member: &str, share: &Value) -> bool {
    let wanted = call.text(member);
    wanted.is_empty() || share[member] == wanted
}

fn shown(
    call: &Call<'_>,
    scope: &Scope,
    cluster: &Cluster,
    name: &str,
    public: bool,
    consumers: &[String],
) -> Value {
    let associations: Vec<Value> = consumers
        .iter()
        .map(|consumer| {
            let (kind, identifier) = consumer.split_once(' ').unwrap_or(("", consumer));
            // Within an account a share works at once; another account's waits for authorisation.
            let own = kind == "NAMESPACE" || identifier == scope.account;
            json!({
                "ConsumerIdentifier": identifier,
                "Status": if own { "ACTIVE" } else { "PENDING_AUTHORIZATION" },
                "ConsumerRegion": call.region,
            })
        })
        .collect();
    json!({
        "DataShareArn": arn(scope, &format!("datashare:{}/{name}", cluster.namespace)),
        "ProducerArn": cluster.namespace_arn(scope),
        "AllowPubliclyAccessibleConsumers": public,
        "DataShareAssociations": associations,
        "DataShareType": "INTERNAL",
    })
}
