//! Compacts botocore's service models into `data/`: keeps what `src/shape.rs` reads, drops the prose.
//!
//! `cargo run -p piton-models --example compact -- <botocore>/data`. The output depends on the input
//! alone, has one operation or shape a line, and keeps the order of members. What the kept keys
//! mean is left to the crate.

#![allow(clippy::print_stdout, reason = "a development tool says which files it wrote")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Folder in botocore, API version, and the name that scripts use.
const SERVICES: [(&str, &str, &str); 11] = [
    ("athena", "2017-05-18", "athena"),
    ("datazone", "2018-05-10", "datazone"),
    ("glue", "2017-03-31", "glue"),
    ("iam", "2010-05-08", "iam"),
    ("lakeformation", "2017-03-31", "lakeformation"),
    ("ram", "2018-01-04", "ram"),
    ("redshift", "2012-12-01", "redshift"),
    ("redshift-data", "2019-12-20", "redshift_data"),
    ("redshift-serverless", "2021-04-21", "redshift_serverless"),
    ("secretsmanager", "2017-10-17", "secretsmanager"),
    ("sts", "2011-06-15", "sts"),
];

/// The services of the model-driven client; their endpoint rules come along.
const FURTHER: [(&str, &str, &str); 7] = [
    ("cloudtrail", "2013-11-01", "cloudtrail"),
    ("events", "2015-10-07", "eventbridge"),
    ("kms", "2014-11-01", "kms"),
    ("organizations", "2016-11-28", "organizations"),
    ("s3", "2006-03-01", "s3"),
    ("service-quotas", "2019-06-24", "service_quotas"),
    ("sns", "2010-03-31", "sns"),
];

const METADATA: &[&str] = &[
    "apiVersion",
    "endpointPrefix",
    "jsonVersion",
    "protocol",
    "serviceId",
    "signingName",
    "targetPrefix",
    "xmlNamespace",
];
const OPERATION: &[&str] = &[
    "http",
    "input",
    "output",
    "errors",
    "idempotent",
    "readonly",
    "deprecated",
    "authtype",
    "endpoint",
    "staticContextParams",
    "httpChecksum",
];
const HTTP: &[&str] = &["method", "requestUri", "responseCode"];
const REFERENCE: &[&str] = &["shape", "resultWrapper", "locationName", "xmlNamespace"];
const SHAPE: &[&str] = &[
    "type",
    "members",
    "required",
    "member",
    "key",
    "value",
    "enum",
    "min",
    "max",
    "pattern",
    "union",
    "document",
    "sensitive",
    "payload",
    "flattened",
    "timestampFormat",
    "error",
    "exception",
    "fault",
    "locationName",
    "xmlNamespace",
    "streaming",
    "eventstream",
    "wrapper",
];
const ERROR: &[&str] = &["code", "httpStatusCode", "senderFault"];
const MEMBER: &[&str] = &[
    "shape",
    "location",
    "locationName",
    "queryName",
    "idempotencyToken",
    "flattened",
    "xmlAttribute",
    "xmlNamespace",
    "timestampFormat",
    "jsonvalue",
    "streaming",
    "hostLabel",
    "deprecated",
    "box",
    "contextParam",
];
const CHECKSUM: &[&str] = &["requestAlgorithmMember", "requestChecksumRequired"];
const PAGINATOR: &[&str] =
    &["input_token", "output_token", "result_key", "limit_key", "more_results"];

/// JSON that keeps the order of members, which `serde_json::Value` promises only with a feature that
/// would then hold for the whole workspace.
#[derive(Clone)]
enum Json {
    Plain(serde_json::Value),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Json {
    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    /// The listed keys, in the list's order.
    fn keep(&self, keys: &[&str]) -> Self {
        Self::Map(
            keys.iter()
                .filter_map(|key| Some(((*key).to_owned(), self.get(key)?.clone())))
                .collect(),
        )
    }

    /// Replaces a key's value when it is there.
    fn change(&mut self, key: &str, change: impl Fn(&Self) -> Self) {
        if let Self::Map(members) = self {
            for (_, value) in members.iter_mut().filter(|(name, _)| name == key) {
                *value = change(value);
            }
        }
    }

    fn each(&self, change: impl Fn(&Self) -> Self) -> Self {
        match self {
            Self::Map(members) => Self::Map(
                members.iter().map(|(name, value)| (name.clone(), change(value))).collect(),
            ),
            Self::List(items) => Self::List(items.iter().map(change).collect()),
            Self::Plain(_) => self.clone(),
        }
    }

    /// botocore's rule for `sdk-extras`: maps merge, anything else is replaced.
    fn merge(&mut self, extra: &Self) {
        let (Self::Map(own), Self::Map(extra)) = (&mut *self, extra) else {
            self.clone_from(extra);
            return;
        };
        for (name, value) in extra {
            match own.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.merge(value),
                None => own.push((name.clone(), value.clone())),
            }
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Plain(value) => out.push_str(&value.to_string()),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;
        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = Json;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Plain(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Plain(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Plain(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Plain(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Plain(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Plain(serde_json::Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Map(members))
            }
        }
        deserializer.deserialize_any(JsonVisitor)
    }
}

fn read(path: &Path) -> Result<Json, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// A model file with its `sdk-extras` merged in, where there are any.
fn read_merged(folder: &Path, name: &str) -> Result<Json, Box<dyn Error>> {
    let mut json = read(&folder.join(format!("{name}.json")))?;
    let extras = folder.join(format!("{name}.sdk-extras.json"));
    if extras.exists()
        && let Some(extra) = read(&extras)?.get("merge")
    {
        json.merge(extra);
    }
    Ok(json)
}

fn operation(operation: &Json) -> Json {
    let mut kept = operation.keep(OPERATION);
    kept.change("http", |http| http.keep(HTTP));
    for key in ["input", "output"] {
        kept.change(key, |reference| reference.keep(REFERENCE));
    }
    kept.change("httpChecksum", |checksum| checksum.keep(CHECKSUM));
    kept.change("errors", |errors| errors.each(|error| error.keep(REFERENCE)));
    kept
}

fn shape(shape: &Json) -> Json {
    let mut kept = shape.keep(SHAPE);
    kept.change("members", |members| members.each(|member| member.keep(MEMBER)));
    for key in ["member", "key", "value"] {
        kept.change(key, |member| member.keep(MEMBER));
    }
    kept.change("error", |error| error.keep(ERROR));
    kept
}

/// `"key":{` and one entry a line, in the order of their names.
fn section(out: &mut String, key: &str, section: &Json, entry: impl Fn(&Json) -> Json) {
    let mut entries: Vec<_> = section.members().iter().collect();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    let _ = write!(out, ",\n\"{key}\":{{");
    for (index, (name, value)) in entries.into_iter().enumerate() {
        let _ = write!(out, "{}\n\"{name}\":", if index == 0 { "" } else { "," });
        entry(value).write(out);
    }
    out.push_str("\n}");
}

/// A set of endpoint rules or the partitions, without the prose.
fn without_prose(json: &Json) -> Json {
    match json {
        Json::Map(members) => {
            let kept = members.iter().filter(|(name, _)| name != "documentation");
            Json::Map(kept.map(|(name, value)| (name.clone(), without_prose(value))).collect())
        }
        other => other.each(without_prose),
    }
}

fn model(folder: &Path, with_rules: bool) -> Result<String, Box<dyn Error>> {
    let model = read_merged(folder, "service-2")?;
    let paginators = read_merged(folder, "paginators-1")?;
    let mut out = String::from("{\n\"metadata\":");
    model.get("metadata").ok_or("no metadata")?.keep(METADATA).write(&mut out);
    section(&mut out, "operations", model.get("operations").ok_or("no operations")?, operation);
    section(&mut out, "shapes", model.get("shapes").ok_or("no shapes")?, shape);
    let pagination = paginators.get("pagination").ok_or("no pagination")?;
    section(&mut out, "paginators", pagination, |paginator| paginator.keep(PAGINATOR));
    if with_rules {
        out.push_str(",\n\"endpointRules\":");
        without_prose(&read(&folder.join("endpoint-rule-set-1.json"))?).write(&mut out);
    }
    out.push_str("\n}\n");
    Ok(out)
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    fs::write(path, text)?;
    println!("{} {} bytes", path.display(), text.len());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let source = env::args().nth(1).ok_or("usage: compact <botocore>/data")?;
    let source = Path::new(&source);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for (folder, version, script_name) in SERVICES {
        let text = model(&source.join(folder).join(version), false)?;
        write(&target.join(format!("{script_name}.json")), &text)?;
    }
    for (folder, version, script_name) in FURTHER {
        let text = model(&source.join(folder).join(version), true)?;
        write(&target.join("further").join(format!("{script_name}.json")), &text)?;
    }
    let mut partitions = String::new();
    without_prose(&read(&source.join("partitions.json"))?).write(&mut partitions);
    partitions.push('\n');
    write(&target.join("partitions.json"), &partitions)
}
