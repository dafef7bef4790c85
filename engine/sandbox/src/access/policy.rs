//! Policy documents: whether their statements match an action, a resource and a request's context.
//!
//! Pure: documents in, a verdict out. Which documents apply to whom is the parent module's part.
//! An unknown condition operator never widens what is allowed: it fails an Allow and holds a Deny.

use std::collections::BTreeMap;

use serde_json::Value;

/// Condition keys of one request, lower-cased, with their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Adds a value to a key.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
    }

    /// The same context with one more value.
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.add(key, value);
        self
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

/// What a request asks of a policy.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// `datazone:CreateDomain`.
    pub(crate) action: &'a str,
    /// ARN, or `*`.
    pub(crate) resource: &'a str,
    /// Condition keys.
    pub(crate) context: &'a Context,
}

/// What a set of policies says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Some statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement matches.
    ImplicitDeny,
}

/// What these documents together say about a request. A document that is not JSON matches nothing.
pub(crate) fn evaluate<'a>(
    documents: impl IntoIterator<Item = &'a str>,
    asked: &Asked<'_>,
) -> Verdict {
    let mut verdict = Verdict::ImplicitDeny;
    for document in documents {
        for statement in statements(document) {
            if !covers_action(&statement, asked) || !covers_resource(&statement, asked) {
                continue;
            }
            match effect(&statement) {
                Effect::Deny if conditions_hold(&statement, asked.context, true) => {
                    return Verdict::ExplicitDeny;
                }
                Effect::Allow if conditions_hold(&statement, asked.context, false) => {
                    verdict = Verdict::Allow;
                }
                Effect::Deny | Effect::Allow => {}
            }
        }
    }
    verdict
}

/// Who asks to assume a role.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trustee<'a> {
    /// An AWS service, `datazone.amazonaws.com`.
    Service(&'a str),
    /// A user or role session.
    Caller {
        /// Twelve digits.
        account: &'a str,
        /// ARN of the user or the session.
        arn: &'a str,
        /// ARN of the user or the role.
        identity_arn: &'a str,
    },
}

/// How a trust policy lets someone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It does not.
    No,
    /// It names their account: their own policies must allow the call as well.
    Account,
    /// It names them.
    Named,
}

/// What a trust policy says about a trustee.
pub(crate) fn trust(
    document: &str,
    trustee: Trustee<'_>,
    action: &str,
    context: &Context,
) -> Trust {
    let asked = Asked { action, resource: "*", context };
    let mut trust = Trust::No;
    for statement in statements(document) {
        let named = principal_names(&statement, trustee);
        if named == Trust::No || !covers_action(&statement, &asked) {
            continue;
        }
        match effect(&statement) {
            Effect::Deny if conditions_hold(&statement, context, true) => return Trust::No,
            Effect::Allow
                if conditions_hold(&statement, context, false) && trust != Trust::Named =>
            {
                trust = named;
            }
            Effect::Deny | Effect::Allow => {}
        }
    }
    trust
}

/// What the policy of a resource says about a caller's request.
pub(crate) fn resource_policy(document: &str, caller: Trustee<'_>, asked: &Asked<'_>) -> Verdict {
    let mut verdict = Verdict::ImplicitDeny;
    for statement in statements(document) {
        let applies = principal_names(&statement, caller) != Trust::No
            && covers_action(&statement, asked)
            && covers_resource(&statement, asked);
        match effect(&statement) {
            Effect::Deny if applies && conditions_hold(&statement, asked.context, true) => {
                return Verdict::ExplicitDeny;
            }
            Effect::Allow if applies && conditions_hold(&statement, asked.context, false) => {
                verdict = Verdict::Allow;
            }
            Effect::Deny | Effect::Allow => {}
        }
    }
    verdict
}

/// What is wrong with a policy document, if anything: the text that IAM answers.
pub(crate) fn malformed(document: &str) -> Option<String> {
    let Ok(value) = serde_json::from_str::<Value>(document) else {
        return Some("This policy contains invalid Json".to_owned());
    };
    let Some(statements) = value.get("Statement") else {
        return Some("Syntax errors in policy.".to_owned());
    };
    let list = one_or_many(Some(statements));
    if list.is_empty() || !list.iter().all(|statement| statement.is_object()) {
        return Some("Syntax errors in policy.".to_owned());
    }
    let known = |statement: &&Value| {
        matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"))
    };
    if !list.iter().all(known) {
        return Some("Syntax errors in policy.".to_owned());
    }
    let acts = |statement: &&Value| {
        statement.get("Action").is_some() || statement.get("NotAction").is_some()
    };
    (!list.iter().all(acts)).then(|| "Policy statement must contain actions.".to_owned())
}

enum Effect {
    Allow,
    Deny,
}

fn effect(statement: &Value) -> Effect {
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        _ => Effect::Deny,
    }
}

fn statements(document: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(document)
        .ok()
        .and_then(|mut policy| policy.get_mut("Statement").map(Value::take))
        .map(|statement| match statement {
            Value::Array(list) => list,
            one => vec![one],
        })
        .unwrap_or_default()
}

fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    one_or_many(value)
        .into_iter()
        .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
        .collect()
}

fn covers_action(statement: &Value, asked: &Asked<'_>) -> bool {
    let action = asked.action.to_lowercase();
    let any = |key: &str| {
        texts(statement.get(key)).iter().any(|pattern| like(&pattern.to_lowercase(), &action))
    };
    match statement.get("NotAction") {
        Some(_) => !any("NotAction"),
        None => any("Action"),
    }
}

fn covers_resource(statement: &Value, asked: &Asked<'_>) -> bool {
    let any = |key: &str| {
        texts(statement.get(key))
            .iter()
            .filter_map(|pattern| fill_in(pattern, asked.context))
            .any(|pattern| like(&pattern, asked.resource))
    };
    match statement.get("NotResource") {
        Some(_) => !any("NotResource"),
        None => any("Resource"),
    }
}

/// Replaces policy variables; nothing when the request does not have one of them.
fn fill_in(pattern: &str, context: &Context) -> Option<String> {
    let mut filled = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}')?;
        filled.push_str(&rest[..start]);
        match &rest[start + 2..end] {
            literal @ ("*" | "?" | "$") => filled.push_str(literal),
            key => filled.push_str(context.get(key)?.first()?),
        }
        rest = &rest[end + 1..];
    }
    filled.push_str(rest);
    Some(filled)
}

fn principal_names(statement: &Value, trustee: Trustee<'_>) -> Trust {
    let principal = statement.get("Principal");
    if principal.and_then(Value::as_str) == Some("*") {
        return Trust::Account;
    }
    let of = |kind: &str| texts(principal.and_then(|principal| principal.get(kind)));
    match trustee {
        Trustee::Service(name) => {
            if of("Service").iter().any(|service| service == name) {
                Trust::Named
            } else {
                Trust::No
            }
        }
        Trustee::Caller { account, arn, identity_arn } => {
            let names = of("AWS");
            let root = format!("arn:aws:iam::{account}:root");
            if names.iter().any(|name| name == arn || name == identity_arn) {
                Trust::Named
            } else if names.iter().any(|name| name == account || *name == root || name == "*") {
                Trust::Account
            } else {
                Trust::No
            }
        }
    }
}

fn conditions_hold(statement: &Value, context: &Context, unknown: bool) -> bool {
    let Some(Value::Object(conditions)) = statement.get("Condition") else { return true };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().is_none_or(|keys| {
            keys.iter().all(|(key, wanted)| {
                condition_holds(operator, key, &texts(Some(wanted)), context).unwrap_or(unknown)
            })
        })
    })
}

/// One condition; nothing when the operator is not one that the sandbox knows.
fn condition_holds(
    operator: &str,
    key: &str,
    wanted: &[String],
    context: &Context,
) -> Option<bool> {
    let values = context.get(key);
    if operator == "Null" {
        let absent = values.is_none();
        return Some(wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case("true") == absent));
    }
    let (for_all, for_any, operator) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (true, false, rest),
        Some(("ForAnyValue", rest)) => (false, true, rest),
        Some(_) => return None,
        None => (false, false, operator),
    };
    let (operator, if_exists) =
        operator.strip_suffix("IfExists").map_or((operator, false), |operator| (operator, true));
    let (negated, test) = test_of(operator)?;
    let Some(values) = values else { return Some(if_exists || for_all || (negated && !for_any)) };
    let wanted: Vec<String> =
        wanted.iter().filter_map(|pattern| fill_in(pattern, context)).collect();
    let one = |value: &String| wanted.iter().any(|wanted| test(wanted, value)) != negated;
    Some(if for_any { values.iter().any(one) } else { values.iter().all(one) })
}

type Test = fn(&str, &str) -> bool;

fn test_of(operator: &str) -> Option<(bool, Test)> {
    let equal: Test = |wanted, value| wanted == value;
    let same_letters: Test = |wanted, value| wanted.eq_ignore_ascii_case(value);
    Some(match operator {
        "StringEquals" => (false, equal),
        "StringNotEquals" => (true, equal),
        "StringEqualsIgnoreCase" | "Bool" => (false, same_letters),
        "StringNotEqualsIgnoreCase" => (true, same_letters),
        "StringLike" | "ArnLike" | "ArnEquals" => (false, like),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (true, like),
        "NumericEquals" => (false, |wanted, value| numbers(wanted, value, |w, v| v == w)),
        "NumericNotEquals" => (true, |wanted, value| numbers(wanted, value, |w, v| v == w)),
        "NumericLessThan" => (false, |wanted, value| numbers(wanted, value, |w, v| v < w)),
        "NumericLessThanEquals" => (false, |wanted, value| numbers(wanted, value, |w, v| v <= w)),
        "NumericGreaterThan" => (false, |wanted, value| numbers(wanted, value, |w, v| v > w)),
        "NumericGreaterThanEquals" => {
            (false, |wanted, value| numbers(wanted, value, |w, v| v >= w))
        }
        _ => return None,
    })
}

fn numbers(wanted: &str, value: &str, test: fn(f64, f64) -> bool) -> bool {
    matches!((wanted.parse(), value.parse()), (Ok(wanted), Ok(value)) if test(wanted, value))
}

/// Whether `text` is of the form `pattern`, where `*` stands for any text and `?` for one character.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at, in_text));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == b'?' || pattern[at] == text[in_text]) {
            at += 1;
            in_text += 1;
        } else if let Some((star_at, matched)) = star {
            at = star_at + 1;
            in_text = matched + 1;
            star = Some((star_at, in_text));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Asked, Context, Trust, Trustee, Verdict, evaluate, like, malformed, trust};

    fn verdict(document: &str, action: &str, resource: &str, context: &Context) -> Verdict {
        evaluate([document], &Asked { action, resource, context })
    }

    #[test]
    fn wildcards_stand_for_any_text() {
        assert!(like("arn:aws:iam::*:role/AmazonDataZone*", "arn:aws:iam::1:role/AmazonDataZoneX"));
        assert!(like("a?c*", "abc"));
        assert!(!like("a?c", "ac"));
    }

    #[test]
    fn a_deny_wins_and_not_action_leaves_out() {
        let document = r#"{"Statement": [
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "datazone:Delete*", "Resource": "*"}]}"#;
        let none = Context::default();
        assert_eq!(verdict(document, "datazone:GetDomain", "*", &none), Verdict::Allow);
        assert_eq!(verdict(document, "datazone:DeleteDomain", "*", &none), Verdict::ExplicitDeny);
        assert_eq!(verdict(document, "iam:GetRole", "*", &none), Verdict::ImplicitDeny);
    }

    #[test]
    fn conditions_need_their_keys_and_unknown_operators_never_allow() {
        let document = |condition: &str| {
            format!(
                r#"{{"Statement": {{"Effect": "Allow", "Action": "*", "Resource": "*",
                    "Condition": {condition}}}}}"#
            )
        };
        let tagged = Context::default().with("aws:ResourceTag/AmazonDataZoneDomain", "dzd_1");
        let like = document(r#"{"StringLike": {"aws:ResourceTag/AmazonDataZoneDomain": "dzd*"}}"#);
        assert_eq!(verdict(&like, "s:A", "*", &tagged), Verdict::Allow);
        assert_eq!(verdict(&like, "s:A", "*", &Context::default()), Verdict::ImplicitDeny);
        let absent = document(r#"{"Null": {"aws:ResourceTag/AmazonDataZoneDomain": "true"}}"#);
        assert_eq!(verdict(&absent, "s:A", "*", &tagged), Verdict::ImplicitDeny);
        let keys = document(r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#);
        let other = Context::default().with("aws:TagKeys", "a").with("aws:TagKeys", "c");
        assert_eq!(verdict(&keys, "s:A", "*", &other), Verdict::ImplicitDeny);
        assert_eq!(verdict(&keys, "s:A", "*", &Context::default()), Verdict::Allow);
        let unknown = document(r#"{"SomethingNew": {"aws:TagKeys": "a"}}"#);
        assert_eq!(verdict(&unknown, "s:A", "*", &other), Verdict::ImplicitDeny);
    }

    #[test]
    fn trust_is_by_service_account_or_name() {
        let document = r#"{"Statement": [
            {"Effect": "Allow", "Principal": {"Service": "datazone.amazonaws.com"},
             "Action": ["sts:AssumeRole", "sts:TagSession"],
             "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}},
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
             "Action": "sts:AssumeRole"}]}"#;
        let service = Trustee::Service("datazone.amazonaws.com");
        let from = |account: &str| Context::default().with("aws:SourceAccount", account);
        assert_eq!(trust(document, service, "sts:AssumeRole", &from("111111111111")), Trust::Named);
        assert_eq!(trust(document, service, "sts:AssumeRole", &from("999999999999")), Trust::No);
        let caller = Trustee::Caller {
            account: "222222222222",
            arn: "arn:aws:iam::222222222222:user/u",
            identity_arn: "arn:aws:iam::222222222222:user/u",
        };
        assert_eq!(trust(document, caller, "sts:AssumeRole", &Context::default()), Trust::Account);
    }

    #[test]
    fn a_malformed_document_is_named() {
        assert_eq!(malformed("{").as_deref(), Some("This policy contains invalid Json"));
        assert!(malformed(r#"{"Statement": []}"#).is_some());
        assert_eq!(malformed(r#"{"Statement": {"Effect": "Allow", "Action": "*"}}"#), None);
    }
}
