//! What the calls of a run created, read from their outputs by the members' names.
//!
//! The services name things in three ways: at the top of the output (`id`, `name`), in one structure
//! named after the thing (`Role.Arn`), or by the thing's own name (`ClusterIdentifier`). What none of
//! them says stays empty: nothing is guessed from values.

use serde_json::{Map, Value};

use super::{Call, Resource};

/// The resources that `create_*` calls made, in order; `answers` are outputs by position in `calls`.
pub(super) fn created(calls: &[Call], answers: &[(usize, Value)]) -> Vec<Resource> {
    let mut answers: Vec<&(usize, Value)> = answers.iter().collect();
    answers.sort_by_key(|(index, _)| *index);
    answers
        .into_iter()
        .filter_map(|(index, output)| {
            let call = &calls[*index];
            let kind = call.operation.strip_prefix("create_")?;
            (call.mutating && call.status == "done").then(|| resource(call, kind, output, calls))
        })
        .collect()
}

fn resource(call: &Call, kind: &str, output: &Value, calls: &[Call]) -> Resource {
    let empty = Map::new();
    let members = described(output).unwrap_or(&empty);
    let input = call.input.as_object().unwrap_or(&empty);
    let word = kind.replace('_', "");
    let find = |suffixes: &[&str]| {
        let wanted: Vec<String> = suffixes
            .iter()
            .flat_map(|suffix| [(*suffix).to_owned(), format!("{word}{suffix}")])
            .collect();
        named(members, &wanted).or_else(|| named(input, &wanted))
    };
    let (id, arn, name) = (find(&["id", "identifier"]), find(&["arn"]), find(&["name"]));
    let deleted = {
        let known: Vec<&str> =
            [&id, &arn, &name].into_iter().filter_map(Option::as_deref).collect();
        let wanted = format!("delete_{kind}");
        calls.iter().filter(|later| later.seq > call.seq && later.status == "done").any(|later| {
            later.service == call.service
                && later.operation == wanted
                && mentions(&later.input, &known)
        })
    };
    Resource {
        service: call.service.clone(),
        kind: kind.replace('_', " "),
        id,
        arn,
        name,
        account: call.account.clone(),
        key: call.key.clone(),
        at: call.at,
        deleted,
    }
}

/// The members that describe the thing: those of the output, or of the one structure it consists of.
fn described(output: &Value) -> Option<&Map<String, Value>> {
    let members = output.as_object()?;
    let mut given = members.values().filter(|value| !value.is_null());
    match (given.next(), given.next()) {
        (Some(Value::Object(only)), None) => Some(only),
        _ => Some(members),
    }
}

fn named(members: &Map<String, Value>, wanted: &[String]) -> Option<String> {
    wanted.iter().find_map(|name| {
        members
            .iter()
            .find(|(member, _)| member.to_lowercase() == *name)
            .and_then(|(_, value)| value.as_str())
            .map(str::to_owned)
    })
}

fn mentions(value: &Value, known: &[&str]) -> bool {
    match value {
        Value::String(text) => known.contains(&text.as_str()),
        Value::Object(members) => members.values().any(|member| mentions(member, known)),
        Value::Array(items) => items.iter().any(|item| mentions(item, known)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use piton_core::catalogue::Class;
    use piton_core::time::Timestamp;
    use serde_json::{Value, json};

    use super::{Call, created};

    fn call(seq: u64, service: &str, operation: &str, input: Value) -> Call {
        Call {
            seq,
            key: format!("#{seq}"),
            step: String::new(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: "admin".to_owned(),
            class: Class::Token,
            mutating: true,
            attempt: 1,
            at: Timestamp::from_millis(0),
            took: None,
            status: "done",
            error: None,
            adopted: false,
            input,
        }
    }

    #[test]
    fn ids_are_found_at_the_top_in_a_structure_and_by_the_thing_s_name() {
        let calls = [
            call(1, "datazone", "create_project", json!({})),
            call(2, "iam", "create_role", json!({"RoleName": "Provisioning"})),
            call(3, "redshift", "create_cluster", json!({})),
            call(4, "iam", "delete_role", json!({"RoleName": "Provisioning"})),
        ];
        let answers = [
            (0, json!({"id": "abc", "name": "publisher", "domainId": "dzd_1"})),
            (1, json!({"Role": {"RoleName": "Provisioning", "Arn": "arn:aws:iam::1:role/P"}})),
            (2, json!({"Cluster": {"ClusterIdentifier": "poc"}})),
        ];
        let made = created(&calls, &answers);
        assert_eq!(made.len(), 3);
        assert_eq!(made[0].id.as_deref(), Some("abc"));
        assert_eq!(made[0].name.as_deref(), Some("publisher"));
        assert_eq!(made[1].name.as_deref(), Some("Provisioning"));
        assert_eq!(made[1].arn.as_deref(), Some("arn:aws:iam::1:role/P"));
        assert!(made[1].deleted && !made[0].deleted);
        assert_eq!(made[2].id.as_deref(), Some("poc"));
    }
}
