//! Where DataZone keeps things: one domain's documents, and a call made inside that domain.
//!
//! Documents are AWS's own answers as JSON. Members that begin with `_` are the sandbox's: the
//! service drops everything the model's output does not have before an answer leaves, so one
//! document serves Get, List and Create alike. Who may do what is `standing`'s part.

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::association;
use crate::people::PrincipalKind;
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Due, Scope, World, parse_timestamp, timestamp};

/// Kinds of documents, each under its own id.
pub(super) const DOMAIN: &str = "datazone/domain";
pub(super) const UNIT: &str = "datazone/domain_unit";
pub(super) const POLICY_GRANT: &str = "datazone/policy_grant";
pub(super) const USER: &str = "datazone/user_profile";
pub(super) const BLUEPRINT: &str = "datazone/blueprint";
pub(super) const BLUEPRINT_CONFIGURATION: &str = "datazone/blueprint_configuration";
pub(super) const PROJECT: &str = "datazone/project";
pub(super) const PROFILE: &str = "datazone/environment_profile";
pub(super) const ENVIRONMENT: &str = "datazone/environment";
pub(super) const TARGET: &str = "datazone/subscription_target";
pub(super) const SOURCE: &str = "datazone/data_source";
pub(super) const RUN: &str = "datazone/data_source_run";
pub(super) const ACTIVITY: &str = "datazone/data_source_run_activity";
pub(super) const ASSET: &str = "datazone/asset";
pub(super) const GENERATION: &str = "datazone/metadata_generation_run";
pub(super) const LISTING: &str = "datazone/listing";
pub(super) const REQUEST: &str = "datazone/subscription_request";
pub(super) const SUBSCRIPTION: &str = "datazone/subscription";
pub(super) const GRANT: &str = "datazone/subscription_grant";
pub(super) const GLOSSARY: &str = "datazone/glossary";
pub(super) const TERM: &str = "datazone/glossary_term";

/// Everything a domain owns, for its deletion.
pub(super) const OWNED_BY_A_DOMAIN: &[&str] = &[
    UNIT,
    POLICY_GRANT,
    USER,
    BLUEPRINT,
    BLUEPRINT_CONFIGURATION,
    PROJECT,
    PROFILE,
    ENVIRONMENT,
    TARGET,
    SOURCE,
    RUN,
    ACTIVITY,
    ASSET,
    GENERATION,
    LISTING,
    REQUEST,
    SUBSCRIPTION,
    GRANT,
    GLOSSARY,
    TERM,
];

/// One domain's documents, at one moment.
pub(super) struct Room<'a> {
    /// The state.
    pub(super) world: &'a World<'a>,
    /// The domain's account and region: everything in a domain lives there.
    pub(super) scope: Scope,
    /// The domain's id.
    pub(super) domain: String,
    /// The moment of the call, or the moment at which an event was due.
    pub(super) now: OffsetDateTime,
}

impl<'a> Room<'a> {
    /// The room in which a scheduled event happens.
    pub(super) fn of_event(world: &'a World<'a>, due: &Due) -> Self {
        Self {
            world,
            scope: due.scope.clone(),
            domain: text(&due.event, "domain").to_owned(),
            now: due.at,
        }
    }

    /// A document of this domain.
    pub(super) fn find(&self, kind: &str, id: &str) -> Option<Value> {
        self.world
            .get::<Value>(&self.scope, kind, id)
            .filter(|document| text(document, "domainId") == self.domain)
    }

    /// A document of this domain, or the error that AWS has for a missing one.
    pub(super) fn get(&self, kind: &str, id: &str) -> Result<Value, AwsFault> {
        self.find(kind, id).ok_or_else(|| missing(kind, id))
    }

    /// All documents of a kind in this domain, oldest first.
    pub(super) fn list(&self, kind: &str) -> Vec<Value> {
        let mut documents = self.world.list::<Value>(&self.scope, kind);
        documents.retain(|document| text(document, "domainId") == self.domain);
        documents
    }

    /// Writes a document under its own id. One that says what is there already changes nothing, the
    /// time of its last change included: a call that is repeated is then seen to have no effect.
    pub(super) fn put(&self, kind: &str, document: &Value) {
        let id = text(document, "id");
        let before = self.world.get::<Value>(&self.scope, kind, id);
        if before.is_none_or(|before| timeless(before) != timeless(document.clone())) {
            self.world.put(&self.scope, kind, id, document);
        }
    }

    /// Removes a document and leaves a tombstone in the world's history.
    pub(super) fn remove(&self, kind: &str, document: &Value) {
        let id = text(document, "id");
        if self.world.delete(&self.scope, kind, id) {
            let record = json!({
                "id": id, "domainId": self.domain, "name": document["name"], "deletedAt": self.time(),
            });
            self.world.remember(&self.scope, kind, &without_nulls(record));
        }
    }

    /// This moment as documents have it.
    pub(super) fn time(&self) -> String {
        timestamp(self.now)
    }

    /// A new id, visibly not one of AWS's.
    pub(super) fn new_id(&self, prefix: &str) -> String {
        new_id(self.world, prefix)
    }

    /// Arranges the next step of a state machine.
    pub(super) fn after(&self, seconds: i64, event: &str, id: &str) {
        self.at(self.now + Duration::seconds(seconds), event, id);
    }

    /// Arranges a step for a moment of the clock.
    pub(super) fn at(&self, moment: OffsetDateTime, event: &str, id: &str) {
        let event = json!({ "event": event, "domain": self.domain, "id": id });
        self.world.schedule(moment, "datazone", &self.scope, &event);
    }
}

/// A call inside a domain.
pub(super) struct Visit<'a> {
    /// The call.
    pub(super) call: &'a Call<'a>,
    /// The domain it is about.
    pub(super) room: Room<'a>,
}

impl<'a> Visit<'a> {
    /// Goes into the domain that the input names, when the caller may know it at all: a domain
    /// that does not exist and one of another account get the same answer, until that account is
    /// associated.
    pub(super) fn enter(call: &'a Call<'a>) -> Result<Self, AwsFault> {
        let visit = Self::enter_any(call, "domainIdentifier")?;
        let domain = visit.domain()?;
        if text(&domain, "status") != "AVAILABLE" {
            return Err(invalid(format!(
                "Domain {} is not in status AVAILABLE but {}",
                visit.room.domain,
                text(&domain, "status")
            )));
        }
        Ok(visit)
    }

    /// Goes into the domain named by `member`, whatever its status.
    pub(super) fn enter_any(call: &'a Call<'a>, member: &str) -> Result<Self, AwsFault> {
        Self::enter_id(call, call.text(member))
    }

    /// Goes into a domain by its id, whatever its status.
    pub(super) fn enter_id(call: &'a Call<'a>, id: &str) -> Result<Self, AwsFault> {
        let stored = call
            .world
            .find_anywhere::<Value>(DOMAIN, id)
            .filter(|stored| stored.scope.region == call.region)
            .ok_or_else(|| absent(call))?;
        if !association::may_enter(&stored, call) {
            return Err(denied(call));
        }
        let room =
            Room { world: call.world, scope: stored.scope, domain: id.to_owned(), now: call.now() };
        Ok(Self { call, room })
    }

    /// The domain's document.
    pub(super) fn domain(&self) -> Result<Value, AwsFault> {
        self.room
            .world
            .get(&self.room.scope, DOMAIN, &self.room.domain)
            .ok_or_else(|| denied(self.call))
    }

    /// The id of the caller's user profile. A user of the domain's account gets one at first use;
    /// everybody else must have been given one.
    pub(super) fn user(&self) -> Result<String, AwsFault> {
        let arn = &self.call.principal.identity_arn;
        match super::users::profile_of(&self.room, arn) {
            Some(profile) if text(&profile, "status") == "DEACTIVATED" => Err(denied(self.call)),
            Some(mut profile) => {
                if text(&profile, "status") != "ACTIVATED" {
                    profile["status"] = json!("ACTIVATED");
                    self.room.put(USER, &profile);
                }
                Ok(text(&profile, "id").to_owned())
            }
            None if self.may_activate() => {
                let principal = self.call.principal;
                Ok(super::users::add_profile(&self.room, arn, &principal.user_id, "ACTIVATED"))
            }
            None => Err(denied(self.call)),
        }
    }

    fn may_activate(&self) -> bool {
        let principal = self.call.principal;
        principal.kind == PrincipalKind::User && principal.account == self.room.scope.account
    }

    /// A text member of the input.
    pub(super) fn text(&self, member: &str) -> &str {
        self.call.text(member)
    }

    /// A document that begins with domain, id, author and times, under AWS's several names for them.
    pub(super) fn document(&self, id: &str, user: &str) -> Value {
        let now = self.room.time();
        json!({
            "id": id, "domainId": self.room.domain,
            "createdBy": user, "createdAt": now, "updatedAt": now, "lastUpdatedAt": now,
        })
    }

    /// Notes on a document that the caller changed it now.
    pub(super) fn touch(&self, document: &mut Value, user: &str) {
        let now = self.room.time();
        document["updatedAt"] = json!(now);
        document["lastUpdatedAt"] = json!(now);
        document["updatedBy"] = json!(user);
        document["lastUpdatedBy"] = json!(user);
    }
}

/// A new id of a named kind, such as `prj-sandbox-0001`.
pub(super) fn new_id(world: &World<'_>, prefix: &str) -> String {
    let number = world.next_number(&format!("datazone/{prefix}"));
    format!("{prefix}-sandbox-{number:04}")
}

/// A text member, empty when it is absent or no text.
pub(super) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A moment as documents and inputs have it. Their texts cannot be compared: fractions vary.
pub(super) fn moment(text: &str) -> Option<OffsetDateTime> {
    parse_timestamp(text)
}

/// The elements of a list member; none when it is absent.
pub(super) fn elements<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A boolean member, false when it is absent.
pub(super) fn flag(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or_default()
}

/// Copies those of the named members that `input` has.
pub(super) fn copy(input: &Value, document: &mut Value, members: &[&str]) {
    for member in members {
        if let Some(value) = input.get(member).filter(|value| !value.is_null()) {
            document[*member] = value.clone();
        }
    }
}

/// An object without its null members.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

/// One page of a list, under the name that the answer has for it.
pub(super) fn page(call: &Call<'_>, member: &str, items: Vec<Value>, most: usize) -> Reply {
    let size = call
        .input
        .get("maxResults")
        .and_then(Value::as_u64)
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(most)
        .clamp(1, most);
    let token = call.text("nextToken");
    let start = match token {
        "" => 0,
        token => token
            .strip_prefix("sandbox-page-")
            .and_then(|start| start.parse::<usize>().ok())
            .ok_or_else(|| invalid("Invalid pagination token".to_owned()))?,
    };
    let left = items.len().saturating_sub(start);
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut answer = json!({ member: shown });
    if left > size {
        answer["nextToken"] = json!(format!("sandbox-page-{}", start + size));
    }
    Ok(answer)
}

/// A document without when it was changed last, and by whom.
fn timeless(mut document: Value) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.retain(|member, _| {
            !matches!(
                member.as_str(),
                "updatedAt" | "updatedBy" | "lastUpdatedAt" | "lastUpdatedBy"
            )
        });
    }
    document
}

/// Keeps the documents whose `member` equals the input's `filter`, when that is given.
pub(super) fn keep_equal(call: &Call<'_>, items: &mut Vec<Value>, filter: &str, member: &str) {
    let wanted = call.text(filter);
    if !wanted.is_empty() {
        items.retain(|item| text(item, member) == wanted);
    }
}

/// Sorts by creation or change, as `sortBy` and `sortOrder` ask; documents come oldest first.
pub(super) fn sorted(call: &Call<'_>, items: &mut [Value]) {
    if call.text("sortBy") == "UPDATED_AT" {
        items.sort_by_key(|item| moment(text(item, "updatedAt")));
    }
    if call.text("sortOrder") == "DESCENDING" {
        items.reverse();
    }
}

/// DataZone's answer to whoever may not, and to whoever asks for what is not there.
pub(super) fn denied(call: &Call<'_>) -> AwsFault {
    AwsFault::new(
        "AccessDeniedException",
        format!("User is not permitted to perform operation: {}", call.operation),
    )
}

/// DataZone's answer to who asks for what is not there, or not any more: the same as to who may not,
/// in all but the worlds that say otherwise.
pub(super) fn absent(call: &Call<'_>) -> AwsFault {
    match association::failures(call.world).forbidden_after_own_delete {
        true => denied(call),
        false => AwsFault::new("ResourceNotFoundException", "The resource does not exist"),
    }
}

/// The input cannot be accepted.
pub(super) fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("ValidationException", message)
}

/// The input contradicts what is there.
pub(super) fn conflict(message: impl Into<String>) -> AwsFault {
    AwsFault::new("ConflictException", message)
}

/// Something inside a project that is not there.
pub(super) fn missing(kind: &str, id: &str) -> AwsFault {
    let kind = kind.rsplit('/').next().unwrap_or(kind).replace('_', " ");
    AwsFault::new("ResourceNotFoundException", format!("The {kind} {id} does not exist"))
}
