//! Effects for people: what a call was about, from its own members.

use serde_json::Value;

/// How many names of one call are shown.
const NAMES: usize = 2;

/// What a call made or changed: `project poc-publish`, `role policy Provisioning read-secrets`.
pub(super) fn of(operation: &str, input: &Value, output: &Value) -> String {
    let noun = noun(operation);
    let own = input.as_object().into_iter().flatten().find_map(|(name, value)| {
        (name.to_lowercase() == noun.replace(' ', "")).then(|| value.as_str().map(short))?
    });
    let names =
        own.or_else(|| statement(input)).map_or_else(|| names(input, output), |own| vec![own]);
    match names.is_empty() {
        true => noun,
        false => format!("{noun} {}", names.join(" ")),
    }
}

/// The operation without its verb: `create_project_membership` is a `project membership`.
fn noun(operation: &str) -> String {
    let words = operation.split_once('_').map_or(operation, |(_, noun)| noun);
    words.replace('_', " ")
}

/// The beginning of an SQL statement.
fn statement(input: &Value) -> Option<String> {
    const WORDS: usize = 4;
    let text = ["Sql", "QueryString"].iter().find_map(|member| input.get(member)?.as_str())?;
    Some(text.split_whitespace().take(WORDS).collect::<Vec<_>>().join(" "))
}

fn names(input: &Value, output: &Value) -> Vec<String> {
    let members = input.as_object().into_iter().flatten();
    let texts: Vec<(String, &str)> = members
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?)))
        .filter(|(name, text)| !name.contains("token") && !text.starts_with('{'))
        .collect();
    let ending = |endings: &[&str]| -> Vec<String> {
        let is_named = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
        texts
            .iter()
            .filter(|(name, _)| is_named(name) && name != "domainidentifier")
            .map(|(_, text)| short(text))
            .take(NAMES)
            .collect()
    };
    let named = ending(&["name", "policyarn"]);
    if !named.is_empty() {
        return named;
    }
    let ids = ending(&["identifier", "id", "arn", "useridentifier"]);
    if !ids.is_empty() {
        return ids;
    }
    output.get("id").and_then(Value::as_str).map(short).into_iter().collect()
}

/// The telling end of an ARN; any other text as it is, if it is not long.
fn short(text: &str) -> String {
    let tail = match text.starts_with("arn:") {
        true => text.rsplit(['/', ':']).next().unwrap_or(text),
        false => text,
    };
    tail.chars().take(64).collect()
}
