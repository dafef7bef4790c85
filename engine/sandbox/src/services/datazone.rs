//! DataZone: domains and who may do what in them, projects, environments over a warehouse or a data
//! lake, publishing, and subscriptions, in the domain's own account and in associated ones.
//!
//! Faithful where runbooks get hurt: every state machine moves on the virtual clock, what is missing
//! and what is forbidden answer alike, membership counts beside IAM, and what a data source imports
//! or a grant hands over is really in the warehouse or the lake. V1 domains; groups, data products
//! and custom types are refused by name.
//!
//! # Layout
//! - `room`: the documents of one domain, a call inside it, and the errors; `standing`: who may;
//!   `association`: which accounts.
//! - `outside`, `warehouse`, `lake`: all that DataZone asks of IAM, Secrets Manager, Redshift, Glue,
//!   Athena, Lake Formation and Amazon S3. `deployments`, `finds`, `fulfil`: what it does with them.
//! - One file for each kind of thing, with its operations and the events of its state machine.

mod assets;
mod association;
mod blueprints;
mod deployments;
mod domains;
mod environments;
mod finds;
mod fulfil;
mod glossary;
mod grants;
mod lake;
mod lake_grants;
mod listings;
mod notifications;
mod outside;
mod policies;
mod predictions;
mod profiles;
mod projects;
mod requests;
mod room;
mod runs;
mod schedule;
mod search;
mod sources;
mod standing;
mod subscriptions;
mod targets;
mod types;
mod units;
mod users;
mod warehouse;
mod warehouse_environment;

use piton_models::{Model, Shape, ShapeKind};
use serde_json::Value;

use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, World};
use room::{DOMAIN, Room, text};

/// DataZone.
#[derive(Debug)]
pub(crate) struct DataZone;

type Handler = fn(&Call<'_>) -> Reply;

/// Every operation that is implemented, in order of name.
const OPERATIONS: [(&str, Handler); 104] = [
    ("AcceptPredictions", predictions::accept),
    ("AcceptSubscriptionRequest", requests::accept),
    ("AddEntityOwner", units::add_owner),
    ("AddPolicyGrant", policies::add),
    ("CancelSubscription", subscriptions::cancel),
    ("CreateAsset", assets::create),
    ("CreateAssetRevision", assets::create_revision),
    ("CreateDataSource", sources::create),
    ("CreateDomain", domains::create),
    ("CreateDomainUnit", units::create),
    ("CreateEnvironment", environments::create),
    ("CreateEnvironmentProfile", profiles::create),
    ("CreateGlossary", glossary::create),
    ("CreateGlossaryTerm", glossary::create_term),
    ("CreateListingChangeSet", listings::change),
    ("CreateProject", projects::create),
    ("CreateProjectMembership", projects::add_membership),
    ("CreateSubscriptionGrant", grants::create),
    ("CreateSubscriptionRequest", requests::create),
    ("CreateSubscriptionTarget", targets::create),
    ("CreateUserProfile", users::create),
    ("DeleteAsset", assets::delete),
    ("DeleteDataSource", sources::delete),
    ("DeleteDomain", domains::delete),
    ("DeleteDomainUnit", units::delete),
    ("DeleteEnvironment", environments::delete),
    ("DeleteEnvironmentBlueprintConfiguration", blueprints::delete_configuration),
    ("DeleteEnvironmentProfile", profiles::delete),
    ("DeleteGlossary", glossary::delete),
    ("DeleteGlossaryTerm", glossary::delete_term),
    ("DeleteListing", listings::delete),
    ("DeleteProject", projects::delete),
    ("DeleteProjectMembership", projects::remove_membership),
    ("DeleteSubscriptionGrant", grants::delete),
    ("DeleteSubscriptionRequest", requests::delete),
    ("DeleteSubscriptionTarget", targets::delete),
    ("GetAsset", assets::get),
    ("GetAssetType", types::get),
    ("GetDataSource", sources::get),
    ("GetDataSourceRun", runs::get),
    ("GetDomain", domains::get),
    ("GetDomainUnit", units::get),
    ("GetEnvironment", environments::get),
    ("GetEnvironmentBlueprint", blueprints::get),
    ("GetEnvironmentBlueprintConfiguration", blueprints::get_configuration),
    ("GetEnvironmentCredentials", environments::credentials),
    ("GetEnvironmentProfile", profiles::get),
    ("GetGlossary", glossary::get),
    ("GetGlossaryTerm", glossary::get_term),
    ("GetListing", listings::get),
    ("GetMetadataGenerationRun", predictions::get),
    ("GetProject", projects::get),
    ("GetSubscription", subscriptions::get),
    ("GetSubscriptionGrant", grants::get),
    ("GetSubscriptionRequestDetails", requests::get),
    ("GetSubscriptionTarget", targets::get),
    ("GetUserProfile", users::get),
    ("ListAssetRevisions", assets::list_revisions),
    ("ListDataSourceRunActivities", runs::activities),
    ("ListDataSourceRuns", runs::list),
    ("ListDataSources", sources::list),
    ("ListDomainUnitsForParent", units::list),
    ("ListDomains", domains::list),
    ("ListEntityOwners", units::list_owners),
    ("ListEnvironmentBlueprintConfigurations", blueprints::list_configurations),
    ("ListEnvironmentBlueprints", blueprints::list),
    ("ListEnvironmentProfiles", profiles::list),
    ("ListEnvironments", environments::list),
    ("ListMetadataGenerationRuns", predictions::list),
    ("ListNotifications", notifications::list),
    ("ListPolicyGrants", policies::list),
    ("ListProjectMemberships", projects::list_memberships),
    ("ListProjects", projects::list),
    ("ListSubscriptionGrants", grants::list),
    ("ListSubscriptionRequests", requests::list),
    ("ListSubscriptionTargets", targets::list),
    ("ListSubscriptions", subscriptions::list),
    ("ListTagsForResource", domains::tags),
    ("PutEnvironmentBlueprintConfiguration", blueprints::put_configuration),
    ("RejectPredictions", predictions::reject),
    ("RejectSubscriptionRequest", requests::reject),
    ("RemoveEntityOwner", units::remove_owner),
    ("RemovePolicyGrant", policies::remove),
    ("RevokeSubscription", subscriptions::revoke),
    ("Search", search::inventory),
    ("SearchListings", search::listings),
    ("SearchTypes", types::search),
    ("SearchUserProfiles", users::search),
    ("StartDataSourceRun", runs::start),
    ("StartMetadataGenerationRun", predictions::start),
    ("TagResource", domains::tag),
    ("UntagResource", domains::untag),
    ("UpdateDataSource", sources::update),
    ("UpdateDomain", domains::update),
    ("UpdateDomainUnit", units::update),
    ("UpdateEnvironment", environments::update),
    ("UpdateEnvironmentProfile", profiles::update),
    ("UpdateGlossary", glossary::update),
    ("UpdateGlossaryTerm", glossary::update_term),
    ("UpdateProject", projects::update),
    ("UpdateSubscriptionGrantStatus", grants::update_status),
    ("UpdateSubscriptionRequest", requests::update),
    ("UpdateSubscriptionTarget", targets::update),
    ("UpdateUserProfile", users::update),
];

static NAMES: [&str; OPERATIONS.len()] = {
    let mut names = [""; OPERATIONS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = OPERATIONS[index].0;
        index += 1;
    }
    names
};

impl Service for DataZone {
    fn name(&self) -> &'static str {
        "datazone"
    }

    fn implements(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        let handler = OPERATIONS
            .binary_search_by_key(&call.operation, |(name, _)| *name)
            .map(|index| OPERATIONS[index].1)
            .map_err(|_| AwsFault::new("NotImplementedInSandbox", call.operation))?;
        handler(call).map(|answer| modelled(call.operation, answer))
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        let room = Room::of_event(world, due);
        let id = text(&due.event, "id");
        match text(&due.event, "event") {
            "domain_made" => domains::made(&room),
            "domain_gone" => domains::gone(&room),
            "project_gone" => projects::gone(&room, id),
            "environment_checked" => deployments::checked(&room, id),
            "environment_made" => deployments::made(&room, id),
            "environment_gone" => deployments::gone(&room, id),
            "target_made" => deployments::target_made(&room, id),
            "source_ready" => sources::ready(&room, id),
            "source_scheduled" => sources::scheduled(&room, id),
            "source_gone" => sources::gone(&room, id),
            "run_begins" => runs::begins(&room, id),
            "run_ends" => runs::ends(&room, id),
            "names_generated" => predictions::generated(&room, id),
            "generation_begins" => predictions::begins(&room, id),
            "generation_ends" => predictions::ends(&room, id),
            "listing_active" => listings::active(&room, id),
            "listing_indexed" => listings::indexed(&room, id),
            "request_accepted" => subscriptions::begins(&room, id),
            "subscription_fulfilled" => subscriptions::fulfilled(&room, id),
            "grant_begins" => grants::begins(&room, id),
            "grant_ends" => grants::ends(&room, id),
            "grant_settles" => grants::settles(&room, id),
            "revoke_begins" => grants::revoke_begins(&room, id),
            "revoke_ends" => grants::revoke_ends(&room, id),
            unknown => unreachable!("DataZone arranged no event {unknown}"),
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        domain_of(call).map_or_else(|| "*".to_owned(), |domain| text(&domain, "arn").to_owned())
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let domain = domain_of(call).unwrap_or_default();
        let tags = domain["tags"].as_object().into_iter().flatten();
        tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    }
}

/// The domain that a call is about, for IAM.
fn domain_of(call: &Call<'_>) -> Option<Value> {
    let id = match (call.text("domainIdentifier"), call.text("identifier")) {
        ("", "") => call.text("resourceArn").rsplit('/').next().unwrap_or_default(),
        ("", id) | (id, _) => id,
    };
    call.world.find_anywhere::<Value>(DOMAIN, id).map(|domain| domain.document)
}

/// The answer with only what the model's output has: documents carry more than one operation shows.
fn modelled(operation: &str, mut answer: Value) -> Value {
    let shape = piton_models::service("datazone").and_then(|model| {
        let output = model.operations.get(operation)?.output.as_ref()?;
        Some((model, model.shape(&output.shape)))
    });
    match shape {
        Some((model, shape)) => {
            trim(&mut answer, model, shape);
            answer
        }
        None => Value::Object(serde_json::Map::new()),
    }
}

fn trim(value: &mut Value, model: &Model, shape: &Shape) {
    match (value, shape.kind) {
        (Value::Object(members), ShapeKind::Structure) if !shape.document => {
            members.retain(|name, value| !value.is_null() && shape.member_named(name).is_some());
            for (name, value) in members.iter_mut() {
                if let Some(member) = shape.member_named(name) {
                    trim(value, model, model.shape(&member.shape));
                }
            }
        }
        (Value::Object(entries), ShapeKind::Map) => {
            if let Some(member) = &shape.value {
                for value in entries.values_mut() {
                    trim(value, model, model.shape(&member.shape));
                }
            }
        }
        (Value::Array(items), ShapeKind::List) => {
            if let Some(member) = &shape.member {
                for item in items {
                    trim(item, model, model.shape(&member.shape));
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, OPERATIONS};

    #[test]
    fn the_table_is_in_order_and_the_model_knows_every_operation() {
        assert!(OPERATIONS.is_sorted_by_key(|(name, _)| *name));
        let known = piton_models::service("datazone").map(|model| &model.operations);
        for name in NAMES {
            assert!(known.is_some_and(|known| known.contains_key(name)), "{name}");
        }
    }
}
