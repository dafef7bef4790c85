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
            ("athena", 75),
            ("datazone", 195),
            ("glue", 309),
            ("iam", 180),
            ("lakeformation", 69),
            ("ram", 35),
            ("redshift", 145),
            ("redshift_data", 12),
            ("redshift_serverless", 65),
            ("secretsmanager", 23),
            ("sts", 11),
        ]
    );
    assert_eq!(counts.iter().map(|(_, bound)| bound).sum::<usize>(), 1119);
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
            ("athena", "ListDatabases.AttributesToGet"),
            ("athena", "ListTableMetadata.AttributesToGet"),
            ("datazone", "AuthenticationConfigurationPatch.oAuth2Properties"),
            ("glue", "DataQualityResult.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResult.EvaluationRunMode"),
            ("glue", "DataQualityResultDescription.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResultDescription.EvaluationRunMode"),
            ("glue", "DataQualityResultFilterCriteria.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResultFilterCriteria.EvaluationRunMode"),
            ("glue", "DataQualityResultV2Item.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResultV2Item.EvaluationRunMode"),
            ("glue", "DataQualityResultsV2Description.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResultsV2Description.EvaluationRunMode"),
            ("glue", "DataQualityResultsV2FilterCriteria.DataQualityEvaluationConfig"),
            ("glue", "DataQualityResultsV2FilterCriteria.EvaluationRunMode"),
            ("glue", "GetDataQualityResult.DataQualityEvaluationConfig"),
            ("glue", "GetDataQualityResult.EvaluationRunMode"),
            ("glue", "GetDataQualityResultV2.DataQualityEvaluationConfig"),
            ("glue", "GetDataQualityResultV2.EvaluationRunMode"),
            ("glue", "create_data_quality_evaluation_config"),
            ("glue", "delete_data_quality_evaluation_config"),
            ("glue", "get_data_quality_evaluation_config"),
            ("glue", "list_data_quality_evaluation_configs"),
            ("glue", "update_data_quality_evaluation_config"),
            ("lakeformation", "Resource.AnyResource"),
            ("lakeformation", "Resource.UserDefinedFunction"),
            ("lakeformation", "get_glue_function_session_context"),
            ("lakeformation", "get_temporary_glue_function_credentials"),
            ("ram", "AssociateResourceSharePermission.permissionTemplateParameters"),
            ("ram", "AssociatedPermission.permissionTemplateParameters"),
            ("ram", "CreatePermission.permissionTemplateParameters"),
            ("ram", "CreatePermissionVersion.permissionTemplateParameters"),
            ("ram", "CreateResourceShare.permissionTemplateParameters"),
            ("ram", "GetPermission.permissionTemplateParameters"),
            ("ram", "ListPermissionAssociations.resourceOwner"),
            ("ram", "ListPermissionAssociations.resourceShareArn"),
            ("ram", "ListPermissions.permissionStatus"),
            ("ram", "ListPermissions.resourceOwner"),
            ("ram", "ReplacePermissionAssociations.permissionTemplateParameters"),
            ("ram", "ReplacePermissionAssociationsWork.permissionTemplateParameters"),
            ("ram", "ResourceSharePermissionDetail.permissionTemplateParameters"),
            ("ram", "ResourceSharePermissionDetail.resourceOwner"),
            ("ram", "ResourceSharePermissionSummary.permissionTemplateParameters"),
            ("ram", "ResourceSharePermissionSummary.resourceOwner"),
            ("ram", "update_permission"),
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
