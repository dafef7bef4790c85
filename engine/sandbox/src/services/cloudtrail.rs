//! CloudTrail: the last ninety days of an account's calls in a region, from the sandbox's own log.
//!
//! An event says who called what, when, with which masked input, and how it ended; answers are not in
//! it. What happened to objects in Amazon S3 is no management event and left out. Events can be looked
//! up at once; AWS takes minutes. Left out: trails, event data stores, insights.

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{AwsFault, Call, Reply, Service};
use crate::access::account_of;
use crate::world::{parse_timestamp, timestamp};

/// AWS CloudTrail.
#[derive(Debug)]
pub(crate) struct CloudTrail;

/// The most events of a page.
const MOST: u64 = 50;
/// How long events can be looked up.
const KEPT: Duration = Duration::days(90);

impl Service for CloudTrail {
    fn name(&self) -> &'static str {
        "cloudtrail"
    }

    fn implements(&self) -> &'static [&'static str] {
        &["LookupEvents"]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "LookupEvents" => lookup(call),
            other => Err(AwsFault::new("UnsupportedOperationException", other)),
        }
    }
}

/// One logged call.
struct Logged {
    seq: i64,
    at: String,
    account: String,
    principal: String,
    service: String,
    operation: String,
    mutating: bool,
    status: u16,
    error: Option<String>,
    input: Value,
    region: String,
    access_key_id: String,
}

/// What is looked up.
struct Wanted<'a> {
    attribute: Option<(&'a str, &'a str)>,
    from: OffsetDateTime,
    to: OffsetDateTime,
}

/// `LookupEvents`: newest first.
fn lookup(call: &Call<'_>) -> Reply {
    if !call.text("EventCategory").is_empty() {
        return Err(AwsFault::new(
            "InvalidEventCategoryException",
            "The sandbox has management events only.",
        ));
    }
    let wanted = Wanted::of(call)?;
    let asked = call.input.get("MaxResults").and_then(Value::as_u64);
    let size = usize::try_from(asked.unwrap_or(MOST).clamp(1, MOST)).unwrap_or(1);
    // The page after an event stays the same page, whatever is called meanwhile.
    let before = match call.text("NextToken") {
        "" => i64::MAX,
        token => token
            .strip_prefix("sandbox-before-")
            .and_then(|seq| seq.parse().ok())
            .ok_or_else(|| AwsFault::new("InvalidNextTokenException", "Invalid token."))?,
    };
    let mut found = search(call, &wanted, before, size + 1)
        .map_err(|error| AwsFault::new("InternalFailure", error.to_string()))?;
    let more = found.len() > size;
    found.truncate(size);
    let mut answer =
        json!({"Events": found.iter().map(|logged| event(call, logged)).collect::<Vec<_>>()});
    if let Some(last) = found.last().filter(|_| more) {
        answer["NextToken"] = json!(format!("sandbox-before-{}", last.seq));
    }
    Ok(answer)
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self, AwsFault> {
        let attributes = call.input.get("LookupAttributes").and_then(Value::as_array);
        let attributes = attributes.map(Vec::as_slice).unwrap_or_default();
        let attribute = match attributes {
            [] => None,
            [one] => {
                let text = |member: &str| one[member].as_str().unwrap_or_default();
                Some((text("AttributeKey"), text("AttributeValue")))
            }
            _ => {
                return Err(AwsFault::new(
                    "InvalidLookupAttributesException",
                    "You can specify only one lookup attribute.",
                ));
            }
        };
        let moment = |member: &str| parse_timestamp(call.text(member));
        let earliest = call.now() - KEPT;
        let from = moment("StartTime").map_or(earliest, |from| from.max(earliest));
        let to = moment("EndTime").unwrap_or_else(|| call.now());
        if moment("StartTime").is_some_and(|from| from > to) {
            return Err(AwsFault::new(
                "InvalidTimeRangeException",
                "The start time is after the end time.",
            ));
        }
        Ok(Self { attribute, from, to })
    }

    fn takes(&self, logged: &Logged) -> bool {
        let at = parse_timestamp(&logged.at);
        let in_time = at.is_some_and(|at| self.from <= at && at <= self.to);
        in_time && self.attribute.is_none_or(|(key, value)| has(logged, key, value))
    }
}

fn has(logged: &Logged, key: &str, value: &str) -> bool {
    match key {
        "EventSource" => source(&logged.service) == value,
        "EventName" => logged.operation == value,
        "Username" => username(&logged.principal) == value,
        "ReadOnly" => value == if logged.mutating { "false" } else { "true" },
        "EventId" => event_id(logged.seq) == value,
        "AccessKeyId" => logged.access_key_id == value,
        "ResourceName" => resource_names(&logged.input).contains(&value),
        // What type a named thing has is not known here.
        _ => false,
    }
}

/// The newest events before one that are looked for, at most `most`.
fn search(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    before: i64,
    most: usize,
) -> rusqlite::Result<Vec<Logged>> {
    let connection: &Connection = call.world.connection();
    let account = &call.principal.account;
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, account, principal, service, operation, mutating, status, error, input,
                region, access_key_id
         FROM calls
         WHERE seq < ?1 AND region = ?2 AND account <> ''
           AND (account = ?3 OR operation = 'AssumeRole')
         ORDER BY seq DESC",
    )?;
    let mut rows = statement.query(params![before, call.region, account])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let input: String = row.get(9)?;
        let logged = Logged {
            seq: row.get(0)?,
            at: row.get(1)?,
            account: row.get(2)?,
            principal: row.get(3)?,
            service: row.get(4)?,
            operation: row.get(5)?,
            mutating: row.get(6)?,
            status: row.get(7)?,
            error: row.get(8)?,
            input: serde_json::from_str(&input).unwrap_or(Value::Null),
            region: row.get(10)?,
            access_key_id: row.get(11)?,
        };
        if is_told(&logged, account) && wanted.takes(&logged) {
            found.push(logged);
            if found.len() == most {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether an account is told of a call: its own, or one that asked for a role of its own.
fn is_told(logged: &Logged, account: &str) -> bool {
    let objects = logged.service == "s3" && logged.operation.contains("Object");
    let own = logged.account == account;
    let asked = || logged.input["RoleArn"].as_str().and_then(account_of) == Some(account);
    !objects && !logged.service.is_empty() && (own || asked())
}

/// An event as LookupEvents shows it; the whole of it is JSON text.
fn event(call: &Call<'_>, logged: &Logged) -> Value {
    let resources: Vec<Value> =
        resource_names(&logged.input).iter().map(|name| json!({"ResourceName": name})).collect();
    let read_only = !logged.mutating;
    json!({
        "EventId": event_id(logged.seq), "EventName": logged.operation,
        "ReadOnly": read_only.to_string(), "AccessKeyId": logged.access_key_id,
        "EventTime": whole_second(&logged.at), "EventSource": source(&logged.service),
        "Username": username(&logged.principal), "Resources": resources,
        "CloudTrailEvent": detail(call, logged).to_string(),
    })
}

fn detail(call: &Call<'_>, logged: &Logged) -> Value {
    let mut detail = json!({
        "eventVersion": "1.09", "userIdentity": identity(logged),
        "eventTime": whole_second(&logged.at), "eventSource": source(&logged.service),
        "eventName": logged.operation, "awsRegion": logged.region,
        "sourceIPAddress": "192.0.2.1", "userAgent": "sandbox",
        "requestParameters": logged.input, "responseElements": null,
        "requestID": format!("5a17db0c-0000-4000-8000-{:012x}", logged.seq),
        "eventID": event_id(logged.seq), "readOnly": !logged.mutating,
        "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": call.principal.account, "eventCategory": "Management",
    });
    if let Some(error) = logged.error.as_ref().filter(|_| logged.status >= 400) {
        detail["errorCode"] = json!(error);
    }
    detail
}

fn identity(logged: &Logged) -> Value {
    let mut identity = json!({
        "arn": logged.principal, "accountId": logged.account,
        "accessKeyId": logged.access_key_id,
    });
    let role =
        logged.principal.split_once(":assumed-role/").and_then(|(_, rest)| rest.split_once('/'));
    match role {
        Some((role, _)) => {
            identity["type"] = json!("AssumedRole");
            identity["sessionContext"] = json!({"sessionIssuer": {
                "type": "Role", "accountId": logged.account, "userName": role,
                "arn": format!("arn:aws:iam::{}:role/{role}", logged.account),
            }});
        }
        None => {
            identity["type"] = json!("IAMUser");
            identity["userName"] = json!(username(&logged.principal));
        }
    }
    identity
}

/// Who called, as events name them: a user, or a role's session.
fn username(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn source(service: &str) -> String {
    let name =
        piton_models::service(service).map_or(service, |model| model.metadata.signing_name());
    format!("{name}.amazonaws.com")
}

fn event_id(seq: i64) -> String {
    format!("5a17db0c-0000-4000-8e00-{seq:012x}")
}

/// Events have whole seconds.
fn whole_second(at: &str) -> String {
    let moment = parse_timestamp(at).and_then(|at| at.replace_nanosecond(0).ok());
    moment.map_or_else(|| at.to_owned(), timestamp)
}

/// What an input names: its members that are called names, identifiers and ARNs.
fn resource_names(input: &Value) -> Vec<&str> {
    const ENDINGS: [&str; 5] = ["Arn", "Id", "Identifier", "Name", "identifier"];
    let members = input.as_object().into_iter().flatten();
    let named = members.filter(|(member, _)| {
        let tokens = member.to_lowercase().contains("token");
        !tokens && (*member == "name" || ENDINGS.iter().any(|ending| member.ends_with(ending)))
    });
    named.filter_map(|(_, value)| value.as_str()).collect()
}
