//! The generated binding: nothing is missing, and it is what the generator writes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

#[path = "../examples/generate/generator.rs"]
mod generator;
#[path = "../examples/generate/source.rs"]
mod source;

#[test]
fn the_committed_binding_is_what_the_generator_writes() {
    for (path, text) in generator::generate().unwrap() {
        let committed = fs::read_to_string(&path).unwrap();
        // Not `assert_eq`: it would print both files.
        assert!(
            committed == text,
            "{} is out of date: cargo run -p piton-aws --example generate",
            path.display()
        );
    }
}

#[test]
fn every_operation_of_the_models_is_bound_or_named_as_left_out() {
    let mut counts = Vec::new();
    for service in piton_models::services() {
        let model = piton_models::service(service).unwrap();
        let bound = piton_aws::bound_operations(service);
        let left_out = piton_aws::left_out(service);
        for operation in model.script_names() {
            assert_ne!(
                bound.contains(&operation),
                left_out.contains(&operation),
                "{service}.{operation}"
            );
        }
        counts.push((*service, bound.len()));
    }
    assert_eq!(
        counts,
        [
            ("datazone", 195),
            ("iam", 180),
            ("redshift", 145),
            ("redshift_data", 12),
            ("secretsmanager", 23),
            ("sts", 11),
        ]
    );
}

#[test]
fn what_the_crates_lack_is_known_by_name() {
    let left_out: Vec<_> = piton_models::services()
        .iter()
        .flat_map(|service| piton_aws::left_out(service).iter().map(move |name| (*service, *name)))
        .collect();
    assert_eq!(
        left_out,
        [
            ("datazone", "AuthenticationConfigurationPatch.oAuth2Properties"),
            ("secretsmanager", "CreateSecret.CrossAccountPrimaryARN"),
            ("secretsmanager", "DeleteResourcePolicy.PolicyName"),
            ("secretsmanager", "DescribeSecret.CrossAccountPrimary"),
            ("secretsmanager", "DescribeSecret.CrossAccountReplicas"),
            ("secretsmanager", "GetResourcePolicy.PolicyName"),
            ("secretsmanager", "PutResourcePolicy.PolicyName"),
            ("secretsmanager", "associate_cross_account_replica"),
            ("secretsmanager", "disassociate_cross_account_replica"),
            ("secretsmanager", "list_resource_policies"),
        ]
    );
    assert!(piton_aws::left_out("s3").is_empty());
}
