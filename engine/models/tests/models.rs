//! The embedded models as data: they parse, their counts and names are pinned, secrets are listed.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use piton_models::{
    Model, Protocol, ShapeKind, credential_members, further_services, secret_input_members,
    service, services,
};

fn all() -> impl Iterator<Item = (&'static str, &'static Model)> {
    services().iter().chain(further_services()).map(|name| (*name, service(name).unwrap()))
}

#[test]
fn every_model_parses_and_its_counts_are_pinned() {
    let counts: Vec<_> = all()
        .map(|(name, model)| {
            (name, model.operations.len(), model.shapes.len(), model.paginators.len())
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("athena", 75, 377, 8),
            ("datazone", 195, 1347, 41),
            ("glue", 314, 1942, 38),
            ("iam", 180, 623, 34),
            ("lakeformation", 71, 362, 8),
            ("ram", 36, 170, 7),
            ("redshift", 145, 664, 38),
            ("redshift_data", 12, 85, 8),
            ("redshift_serverless", 65, 279, 14),
            ("secretsmanager", 26, 153, 2),
            ("sts", 11, 101, 0),
            ("cloudtrail", 60, 381, 7),
            ("eventbridge", 57, 354, 3),
            ("kms", 56, 259, 8),
            ("organizations", 63, 275, 18),
            ("s3", 116, 722, 8),
            ("service_quotas", 26, 147, 6),
            ("sns", 42, 174, 8),
        ]
    );
    assert!(service("ec2").is_none());
}

#[test]
fn every_protocol_is_one_that_is_spoken() {
    for (name, model) in all() {
        assert_ne!(model.metadata.protocol(), Protocol::Other, "{name}");
    }
}

#[test]
fn script_names_are_unique_and_lead_back() {
    for (service, model) in all() {
        assert_eq!(model.script_name, service);
        assert_eq!(model.script_names().count(), model.operations.len(), "{service}");
        for (wire, operation) in &model.operations {
            let script = operation.script_name();
            let words = script.split('_').all(|word| !word.is_empty());
            assert!(words && script == script.to_lowercase(), "{service}.{script}");
            assert_eq!(model.operation_by_script_name(&script).unwrap().name, *wire);
        }
    }
}

#[test]
fn paginators_name_operations_and_members_that_exist() {
    for (service, model) in all() {
        for (wire, paginator) in &model.paginators {
            let operation = &model.operations[wire];
            let input = model.input_shape(operation).unwrap();
            for token in paginator.input_token.iter().chain(&paginator.limit_key) {
                assert!(input.member_named(token).is_some(), "{service}.{wire} {token}");
            }
            assert!(!paginator.result_key.is_empty(), "{service}.{wire}");
        }
    }
}

#[test]
fn patterns_that_cannot_be_checked_are_few_and_known() {
    let skipped: Vec<_> = all()
        .map(|(name, model)| {
            let shapes = model.shapes.values();
            let skipped = shapes
                .filter(|shape| shape.pattern.is_some() && shape.pattern_regex().is_none())
                .count();
            (name, skipped)
        })
        .collect();
    assert_eq!(
        skipped,
        [
            ("athena", 5),
            ("datazone", 5),
            ("glue", 39),
            ("iam", 5),
            ("lakeformation", 16),
            ("ram", 0),
            ("redshift", 3),
            ("redshift_data", 0),
            ("redshift_serverless", 1),
            ("secretsmanager", 0),
            ("sts", 2),
            ("cloudtrail", 2),
            ("eventbridge", 2),
            ("kms", 0),
            ("organizations", 2),
            ("s3", 0),
            ("service_quotas", 2),
            ("sns", 0),
        ]
    );
}

#[test]
fn credentials_in_answers_are_listed() {
    for (service, operation, expected) in [
        ("datazone", "get_environment_credentials", &["secretAccessKey", "sessionToken"][..]),
        ("secretsmanager", "get_secret_value", &["SecretBinary", "SecretString"]),
        (
            "secretsmanager",
            "batch_get_secret_value",
            &["SecretValues/*/SecretBinary", "SecretValues/*/SecretString"],
        ),
        ("secretsmanager", "get_random_password", &["RandomPassword"]),
        ("secretsmanager", "describe_secret", &[]),
        ("iam", "create_access_key", &["AccessKey/SecretAccessKey"]),
        ("iam", "create_login_profile", &[]),
        ("sts", "assume_role", &["Credentials/SecretAccessKey", "Credentials/SessionToken"]),
        ("redshift", "get_cluster_credentials", &["DbPassword"]),
        ("redshift", "get_cluster_credentials_with_iam", &["DbPassword"]),
        ("redshift", "get_identity_center_auth_token", &["Token"]),
        ("redshift_serverless", "get_credentials", &["dbPassword"]),
        ("redshift_serverless", "get_identity_center_auth_token", &["token"]),
        ("glue", "get_session_endpoint", &["SparkConnect/AuthToken"]),
        ("kms", "decrypt", &["Plaintext"]),
        ("kms", "generate_data_key_pair", &["PrivateKeyPlaintext"]),
        ("datazone", "create_project", &[]),
        ("nowhere", "nothing", &[]),
    ] {
        let mut found: Vec<_> =
            credential_members(service, operation).iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{service}.{operation}");
    }
}

#[test]
fn secrets_in_inputs_are_listed() {
    for (service, operation, expected) in [
        ("secretsmanager", "create_secret", &["SecretBinary", "SecretString"][..]),
        ("secretsmanager", "put_secret_value", &["RotationToken", "SecretBinary", "SecretString"]),
        ("redshift", "create_cluster", &["MasterUserPassword"]),
        ("redshift_serverless", "create_namespace", &["adminUserPassword"]),
        ("iam", "create_login_profile", &["Password"]),
        ("iam", "change_password", &["NewPassword", "OldPassword"]),
        ("iam", "create_role", &[]),
    ] {
        let mut found: Vec<_> =
            secret_input_members(service, operation).iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{service}.{operation}");
    }
}

/// Members that the models call sensitive and that sound like a secret without being one.
const REVIEWED: &[&str] = &[
    "accesskeyid",
    "clienttoken",
    "secretarn",
    "servicespecificcredentialid",
    "tokenurl",
    "workunittoken",
];

#[test]
fn whatever_is_sensitive_and_sounds_like_a_secret_is_listed() {
    let sounds = ["password", "secret", "token", "privatekey", "credential", "seed"];
    for (service, model) in all() {
        for operation in model.operations.values() {
            let script = operation.script_name();
            let listed = [
                (&operation.input, secret_input_members(service, &script)),
                (&operation.output, credential_members(service, &script)),
            ];
            for (reference, listed) in listed {
                let Some(reference) = reference else { continue };
                let mut leaves = Vec::new();
                sensitive_leaves(model, &reference.shape, &mut Vec::new(), &mut leaves);
                for path in leaves {
                    let name = path.rsplit('/').find(|part| *part != "*").unwrap().to_lowercase();
                    let suspicious = sounds.iter().any(|sound| name.contains(sound));
                    assert!(
                        !suspicious || listed.contains(&path) || REVIEWED.contains(&&*name),
                        "{service}.{script}: {path} is neither listed nor reviewed"
                    );
                }
            }
        }
    }
}

/// Paths of text and bytes whose own shape is marked sensitive.
fn sensitive_leaves<'a>(
    model: &'a Model,
    name: &'a str,
    path: &mut Vec<(&'a str, &'a str)>,
    leaves: &mut Vec<String>,
) {
    let shape = model.shape(name);
    if matches!(shape.kind, ShapeKind::String | ShapeKind::Blob) {
        if shape.sensitive {
            leaves.push(path.iter().map(|(segment, _)| *segment).collect::<Vec<_>>().join("/"));
        }
        return;
    }
    if path.iter().any(|(_, open)| *open == name) {
        return;
    }
    let inner = shape.member.iter().chain(&shape.value).map(|member| ("*", &**member));
    let members = shape.members.0.iter().map(|(name, member)| (name.as_str(), member));
    for (segment, member) in members.chain(inner) {
        path.push((segment, name));
        sensitive_leaves(model, &member.shape, path, leaves);
        path.pop();
    }
}
