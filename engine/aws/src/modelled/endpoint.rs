//! Where a service lives: an evaluator for the endpoint rules that come with its model.
//!
//! The rules are data: conditions over parameters (region, bucket, flags) that lead to a URL and to how
//! a request to it is signed, or to an error. Which parameters a call has is the caller's knowledge.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

mod functions;

/// What the rules say of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme, host and the beginning of the path.
    pub(super) url: String,
    /// Signing name, when it differs from the model's.
    pub(super) signing_name: Option<String>,
    /// Signing region, when it differs from the caller's.
    pub(super) signing_region: Option<String>,
    /// The path is signed as it is sent (Amazon S3).
    pub(super) plain_path: bool,
}

/// The parameters of one call, by name.
pub(super) type Parameters = BTreeMap<String, Value>;

/// Variables by name: the parameters, and what conditions assigned.
type Scope = BTreeMap<String, Value>;

/// The endpoint of a call, by a set of rules.
///
/// # Errors
/// A sentence: the rules' own error, or what these rules ask for that is not supported here.
pub(super) fn resolve(rules: &Value, given: &Parameters) -> Result<Endpoint, String> {
    let mut scope = Scope::new();
    let parameters = rules["parameters"].as_object().ok_or("the endpoint rules have none")?;
    for (name, parameter) in parameters {
        let value = given.get(name).cloned().or_else(|| parameter.get("default").cloned());
        if parameter["required"] == Value::Bool(true) && value.is_none() {
            return Err(format!("the endpoint rules ask for {name}"));
        }
        scope.insert(name.clone(), value.unwrap_or(Value::Null));
    }
    match first_match(&rules["rules"], &scope)? {
        Some(endpoint) => finish(&endpoint),
        None => Err("no endpoint rule fits the call".to_owned()),
    }
}

/// The endpoint of the first rule that applies; nothing when none does.
fn first_match(rules: &Value, outer: &Scope) -> Result<Option<Value>, String> {
    for rule in rules.as_array().into_iter().flatten() {
        let mut scope = outer.clone();
        if !holds(&rule["conditions"], &mut scope)? {
            continue;
        }
        return match rule["type"].as_str() {
            Some("endpoint") => {
                let endpoint = &rule["endpoint"];
                let url = evaluate(&endpoint["url"], &scope)?;
                let properties = filled(&endpoint["properties"], &scope)?;
                Ok(Some(json!({"url": url, "properties": properties})))
            }
            Some("error") => {
                let error = evaluate(&rule["error"], &scope)?;
                Err(error.as_str().unwrap_or("the endpoint rules refuse the call").to_owned())
            }
            Some("tree") => match first_match(&rule["rules"], &scope)? {
                Some(endpoint) => Ok(Some(endpoint)),
                None => Err("the endpoint rules end without an endpoint".to_owned()),
            },
            _ => Err("an endpoint rule is of an unknown type".to_owned()),
        };
    }
    Ok(None)
}

fn holds(conditions: &Value, scope: &mut Scope) -> Result<bool, String> {
    for condition in conditions.as_array().into_iter().flatten() {
        let value = evaluate(condition, scope)?;
        if value.is_null() || value == Value::Bool(false) {
            return Ok(false);
        }
        if let Some(name) = condition["assign"].as_str() {
            scope.insert(name.to_owned(), value);
        }
    }
    Ok(true)
}

/// The value of an expression: a reference, a function's result, a text with `{places}`, or itself.
fn evaluate(expression: &Value, scope: &Scope) -> Result<Value, String> {
    match expression {
        Value::String(text) => template(text, scope).map(Value::from),
        Value::Object(map) => {
            if let Some(name) = map.get("ref").and_then(Value::as_str) {
                return Ok(scope.get(name).cloned().unwrap_or(Value::Null));
            }
            let name = map.get("fn").and_then(Value::as_str).ok_or("an unknown expression")?;
            let arguments = map.get("argv").and_then(Value::as_array).into_iter().flatten();
            let values: Result<Vec<Value>, String> =
                arguments.map(|argument| evaluate(argument, scope)).collect();
            functions::call(name, &values?)
        }
        other => Ok(other.clone()),
    }
}

/// A tree of texts with `{places}`, filled.
fn filled(value: &Value, scope: &Scope) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::from(template(text, scope)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| filled(item, scope)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| Ok((name.clone(), filled(value, scope)?)))
                .collect::<Result<Map<_, _>, String>>()?,
        ),
        other => other.clone(),
    })
}

/// A text whose `{name}` and `{name#path}` are replaced; `{{` and `}}` stand for braces.
fn template(text: &str, scope: &Scope) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(doubled) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = doubled;
            continue;
        }
        let (place, after) = rest.split_once('}').ok_or("a template's brace is not closed")?;
        rest = after;
        let (name, path) = place.split_once('#').map_or((place, None), |(n, p)| (n, Some(p)));
        let value = scope.get(name).unwrap_or(&Value::Null);
        let value = match path {
            Some(path) => functions::attribute(value, path),
            None => value.clone(),
        };
        out.push_str(value.as_str().ok_or_else(|| format!("`{place}` has no text"))?);
    }
    out.push_str(rest);
    Ok(out)
}

fn finish(found: &Value) -> Result<Endpoint, String> {
    let url = found["url"].as_str().ok_or("an endpoint rule has no URL")?.to_owned();
    let schemes = found["properties"]["authSchemes"].as_array();
    let scheme = match schemes {
        None => return Ok(Endpoint::plain(url)),
        Some(schemes) => schemes.iter().find(|scheme| scheme["name"] == "sigv4"),
    };
    let Some(scheme) = scheme else {
        let names = schemes.into_iter().flatten().filter_map(|scheme| scheme["name"].as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(format!(
            "the endpoint {url} asks for a signature that is not supported: {names}"
        ));
    };
    let text = |name: &str| scheme[name].as_str().map(str::to_owned);
    Ok(Endpoint {
        url,
        signing_name: text("signingName"),
        signing_region: text("signingRegion"),
        plain_path: scheme["disableDoubleEncoding"] == Value::Bool(true),
    })
}

impl Endpoint {
    fn plain(url: String) -> Self {
        Self { url, signing_name: None, signing_region: None, plain_path: false }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn of(service: &str, given: &[(&str, Value)]) -> Result<Endpoint, String> {
        let rules = piton_models::service(service).unwrap().endpoint_rules.as_ref().unwrap();
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        resolve(rules, &given.collect())
    }

    fn url(service: &str, region: &str, given: &[(&str, Value)]) -> String {
        let region = ("Region", json!(region));
        let given: Vec<_> = given.iter().cloned().chain([region]).collect();
        of(service, &given).map_or_else(|error| error, |endpoint| endpoint.url)
    }

    #[test]
    fn regions_partitions_and_flags_lead_to_hosts() {
        for (service, region, given, expected) in [
            ("kms", "eu-west-1", &[][..], "https://kms.eu-west-1.amazonaws.com"),
            ("kms", "cn-north-1", &[], "https://kms.cn-north-1.amazonaws.com.cn"),
            (
                "kms",
                "eu-west-1",
                &[("UseFIPS", json!(true))],
                "https://kms-fips.eu-west-1.amazonaws.com",
            ),
            ("kms", "eu-west-1", &[("UseDualStack", json!(true))], "https://kms.eu-west-1.api.aws"),
            ("organizations", "eu-west-1", &[], "https://organizations.us-east-1.amazonaws.com"),
            (
                "service_quotas",
                "us-gov-west-1",
                &[],
                "https://servicequotas.us-gov-west-1.amazonaws.com",
            ),
            ("sns", "us-gov-west-1", &[], "https://sns.us-gov-west-1.amazonaws.com"),
            ("eventbridge", "eu-west-1", &[], "https://events.eu-west-1.amazonaws.com"),
            (
                "cloudtrail",
                "eu-west-1",
                &[("Endpoint", json!("http://127.0.0.1:9"))],
                "http://127.0.0.1:9",
            ),
            (
                "s3",
                "eu-west-1",
                &[("Bucket", json!("data-lake"))],
                "https://data-lake.s3.eu-west-1.amazonaws.com",
            ),
            (
                "s3",
                "eu-west-1",
                &[("Bucket", json!("with.dots"))],
                "https://s3.eu-west-1.amazonaws.com/with.dots",
            ),
            (
                "s3",
                "eu-west-1",
                &[
                    ("Bucket", json!("data-lake")),
                    ("ForcePathStyle", json!(true)),
                    ("Endpoint", json!("http://127.0.0.1:9")),
                ],
                "http://127.0.0.1:9/data-lake",
            ),
            (
                "s3",
                "eu-west-1",
                &[("Bucket", json!("arn:aws:s3:eu-west-1:111122223333:accesspoint/mine"))],
                "https://mine-111122223333.s3-accesspoint.eu-west-1.amazonaws.com",
            ),
            ("s3", "eu-west-1", &[], "https://s3.eu-west-1.amazonaws.com"),
        ] {
            assert_eq!(url(service, region, given), expected, "{service} {region}");
        }
    }

    #[test]
    fn a_global_service_is_signed_for_its_own_region() {
        let found = of("organizations", &[("Region", json!("eu-west-1"))]).unwrap();
        assert_eq!(found.signing_region.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn what_the_rules_refuse_and_what_is_not_supported_is_said() {
        let bucket = |name: &str| [("Region", json!("eu-west-1")), ("Bucket", json!(name))];
        let refused = of("s3", &bucket("arn:aws:s3:eu-west-1:111122223333:nothing/x"));
        assert!(refused.unwrap_err().contains("Invalid ARN"));
        let refused = of("s3", &bucket("logs--euw1-az1--x-s3"));
        assert!(refused.unwrap_err().contains("not supported"));
        assert_eq!(of("kms", &[]).unwrap_err(), "Invalid Configuration: Missing Region");
    }
}
