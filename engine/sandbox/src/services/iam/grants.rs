//! What users, roles and groups are granted: attached policies, inline policies, boundaries.

use serde_json::{Value, json};

use super::entity::{Entity, load, missing, page, save};
use super::state::document_of;
use crate::access::policy;
use crate::people::split_path;
use crate::protocol::percent_encoded;
use crate::services::{AwsFault, Call, Reply};

/// Managed policies that one entity may have.
const MOST_ATTACHED: usize = 10;

pub(super) fn attach<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    let arn = call.text("PolicyArn");
    if document_of(call.world, arn).is_none() {
        return Err(missing(format!("Policy {arn} does not exist or is not attachable.")));
    }
    let attached = &mut entity.grants_mut().attached;
    if !attached.iter().any(|known| known == arn) {
        if attached.len() >= MOST_ATTACHED {
            let mut noun = E::NOUN.to_owned();
            noun[..1].make_ascii_uppercase();
            return Err(AwsFault::new(
                "LimitExceeded",
                format!("Cannot exceed quota for PoliciesPer{noun}: {MOST_ATTACHED}"),
            ));
        }
        attached.push(arn.to_owned());
    }
    save(call, &entity);
    Ok(json!({}))
}

pub(super) fn detach<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    let arn = call.text("PolicyArn");
    let attached = &mut entity.grants_mut().attached;
    let Some(position) = attached.iter().position(|known| known == arn) else {
        return Err(missing(format!("Policy {arn} was not found.")));
    };
    attached.remove(position);
    save(call, &entity);
    Ok(json!({}))
}

pub(super) fn list_attached<E: Entity>(call: &Call<'_>) -> Reply {
    let entity: E = load(call)?;
    let attached = entity
        .grants()
        .attached
        .iter()
        .map(|arn| json!({"PolicyName": split_path(arn).1, "PolicyArn": arn}));
    page(call, "AttachedPolicies", attached.collect())
}

pub(super) fn put_inline<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    let document = checked_document(call)?;
    entity.grants_mut().inline.insert(call.text("PolicyName").to_owned(), document);
    save(call, &entity);
    Ok(json!({}))
}

pub(super) fn get_inline<E: Entity>(call: &Call<'_>) -> Reply {
    let entity: E = load(call)?;
    let name = call.text("PolicyName");
    let document = entity.grants().inline.get(name).ok_or_else(|| no_inline::<E>(name))?;
    let mut output = json!({"PolicyName": name, "PolicyDocument": percent_encoded(document)});
    output[E::NAME] = json!(entity.name());
    Ok(output)
}

pub(super) fn delete_inline<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    let name = call.text("PolicyName");
    if entity.grants_mut().inline.remove(name).is_none() {
        return Err(no_inline::<E>(name));
    }
    save(call, &entity);
    Ok(json!({}))
}

fn no_inline<E: Entity>(name: &str) -> AwsFault {
    missing(format!("The {} policy with name {name} cannot be found.", E::NOUN))
}

pub(super) fn list_inline<E: Entity>(call: &Call<'_>) -> Reply {
    let entity: E = load(call)?;
    page(call, "PolicyNames", entity.grants().inline.keys().map(|name| json!(name)).collect())
}

pub(super) fn put_boundary<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    entity.grants_mut().boundary = checked_boundary(call)?;
    save(call, &entity);
    Ok(json!({}))
}

pub(super) fn delete_boundary<E: Entity>(call: &Call<'_>) -> Reply {
    let mut entity: E = load(call)?;
    if entity.grants_mut().boundary.take().is_none() {
        let name = entity.name();
        return Err(missing(format!(
            "{} {name} does not have a permissions boundary policy attached.",
            E::NOUN
        )));
    }
    save(call, &entity);
    Ok(json!({}))
}

/// The boundary that an input asks for, which must exist.
pub(super) fn checked_boundary(call: &Call<'_>) -> Result<Option<String>, AwsFault> {
    let arn = call.text("PermissionsBoundary");
    if arn.is_empty() {
        return Ok(None);
    }
    if document_of(call.world, arn).is_none() {
        return Err(missing(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    Ok(Some(arn.to_owned()))
}

/// The identity policy of an input, which must be one.
pub(super) fn checked_document(call: &Call<'_>) -> Result<String, AwsFault> {
    let document = call.text("PolicyDocument");
    let malformed = |message: String| AwsFault::new("MalformedPolicyDocument", message);
    if let Some(message) = policy::malformed(document) {
        return Err(malformed(message));
    }
    let parsed: Value = serde_json::from_str(document)
        .map_err(|_| malformed("This policy contains invalid Json".to_owned()))?;
    let statements = match &parsed["Statement"] {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for statement in statements {
        if statement.get("Resource").is_none() && statement.get("NotResource").is_none() {
            return Err(malformed("Policy statement must contain resources.".to_owned()));
        }
        if statement.get("Principal").is_some() {
            return Err(malformed("Policy document should not specify a principal.".to_owned()));
        }
    }
    Ok(document.to_owned())
}
