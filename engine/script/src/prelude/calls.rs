//! `query`, and the journaled sources of chance, time and secrets.

use piton_core::time::Span;
use rhai::{Dynamic, Map, Module, NativeCallContext};
use serde_json::{Value, json};

use super::accounts::Account;
use super::{add, text, usage};
use crate::failure::{self, Native, durable};
use crate::host::{Keep, QueryEngine, QuerySpec};
use crate::options::Options;
use crate::session::Session;
use crate::value::{self, Secret, Secrets};

const QUERY_GIVE_UP: Span = Span::from_secs(3600);

/// Short names of the target's members, and AWS's.
pub(crate) const TARGET: [(&str, &str); 8] = [
    ("cluster", "ClusterIdentifier"),
    ("workgroup", "WorkgroupName"),
    ("athena", "WorkGroup"),
    ("database", "Database"),
    ("catalog", "Catalog"),
    ("secret", "SecretArn"),
    ("user", "DbUser"),
    ("name", "StatementName"),
];

/// Members of the target that are not Athena's.
const DATA_API_ONLY: [(&str, &str); 3] =
    [("secret", "SecretArn"), ("user", "DbUser"), ("name", "StatementName")];

const PASSWORD_LENGTH: u32 = 32;
/// Letters, digits and marks that Redshift, shells and connection strings all take.
const PASSWORD_ALPHABET: &str =
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#%*+-.=_~";

pub(super) fn register(module: &mut Module) {
    add(module, "query", |context: NativeCallContext<'_>, account: Account, options: Dynamic| {
        query(&context, &account, options)
    });
    add(module, "query", |context: NativeCallContext<'_>, other: Dynamic, _options: Dynamic| {
        let message = format!("`query` takes an account first, found {}", value::describe(&other));
        let hint = usage("query").unwrap_or_default();
        Err::<Dynamic, _>(failure::bad_argument_hint(&context, message, hint))
    });
    add(module, "now", |context: NativeCallContext<'_>| {
        durable(&context, |session| session.host.now()).map(|moment| moment.to_string())
    });
    add(module, "uuid", |context: NativeCallContext<'_>| {
        durable(&context, |session| session.host.uuid())
    });
    add(module, "anchor", |context: NativeCallContext<'_>| {
        durable(&context, |session| session.host.anchor())
    });
    add(module, "random_password", |context: NativeCallContext<'_>| {
        random_password(&context, Map::new().into())
    });
    add(module, "random_password", |context: NativeCallContext<'_>, options: Dynamic| {
        random_password(&context, options)
    });
    add(module, "secret_env", |context: NativeCallContext<'_>, name: Dynamic| {
        let name = text(&context, "name", &name)?;
        durable(&context, |session| session.host.secret_env(&name)).map(Secret)
    });
}

fn random_password(context: &NativeCallContext<'_>, options: Dynamic) -> Native<Secret> {
    let mut options = Options::new(context, "random_password", options, &["length", "alphabet"])?;
    let length = options.count("length", 8, 128)?.unwrap_or(PASSWORD_LENGTH);
    let alphabet = options.text("alphabet")?.unwrap_or_else(|| PASSWORD_ALPHABET.to_owned());
    if alphabet.chars().count() < 2 {
        return Err(options.wrong("alphabet", "needs two characters or more"));
    }
    let shape = json!({ "length": length, "alphabet": alphabet });
    durable(context, |session| session.host.random_password(shape)).map(Secret)
}

fn query(context: &NativeCallContext<'_>, account: &Account, options: Dynamic) -> Native {
    let known = ["sql", "target", "parameters", "keep", "give_up"];
    let mut options = Options::new(context, "query", options, &known)?;
    let sql = options.text("sql")?;
    let sql = options.required("sql", sql)?;
    let (engine, target) = target(&mut options)?;
    let parameters = options.object("parameters", Secrets::Handles)?.unwrap_or_default();
    if engine == QueryEngine::Athena && !parameters.is_empty() {
        return Err(options.wrong("parameters", "is for Redshift: Athena has no named parameters"));
    }
    let keep = match options.text("keep")?.as_deref() {
        None => None,
        Some("all") => Some(Keep::All),
        Some("sample") => Some(Keep::Sample),
        Some("digest") => Some(Keep::Digest),
        Some(_) => return Err(options.wrong("keep", "is \"all\", \"sample\" or \"digest\"")),
    };
    let spec = QuerySpec {
        engine,
        sql,
        target,
        parameters,
        keep,
        give_up: options.span("give_up")?.unwrap_or(QUERY_GIVE_UP),
        place: Session::current().place(context),
    };
    durable(context, |session| session.host.query(&account.0, spec)).map(value::from_json)
}

fn target(options: &mut Options<'_>) -> Native<(QueryEngine, serde_json::Map<String, Value>)> {
    let known: Vec<&str> = TARGET.iter().flat_map(|(short, wire)| [*short, *wire]).collect();
    let given = options.nested("target", &known)?;
    let mut given = options.required("target", given)?;
    let mut target = serde_json::Map::new();
    for (short, wire) in TARGET {
        for name in [short, wire] {
            if let Some(value) = given.text(name)? {
                target.insert(wire.to_owned(), Value::String(value));
            }
        }
    }
    let has = |member: &str| target.contains_key(member);
    let places = ["ClusterIdentifier", "WorkgroupName", "WorkGroup"];
    if places.iter().filter(|place| has(place)).count() != 1 {
        let problem = "needs `cluster`, `workgroup` or `athena`, one of them";
        return Err(options.wrong("target", problem));
    }
    if has("WorkGroup") {
        if let Some((short, _)) = DATA_API_ONLY.iter().find(|(_, wire)| has(wire)) {
            let problem = format!("has `{short}`, which Athena does not take");
            return Err(options.wrong("target", &problem));
        }
        return Ok((QueryEngine::Athena, target));
    }
    if has("Catalog") {
        return Err(options.wrong("target", "has `catalog`, which only Athena takes"));
    }
    if !has("Database") {
        return Err(options.wrong("target", "needs `database`"));
    }
    if has("SecretArn") && has("DbUser") {
        return Err(options.wrong("target", "takes `secret` or `user`, not both"));
    }
    Ok((QueryEngine::DataApi, target))
}
