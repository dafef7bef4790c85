//! Differences that are known, each with its reason. What is not here fails the test.

use piton_models::{Model, ShapeKind};
use serde_json::{Value, json};

use super::Subject;
use super::compare::Difference;
use super::tally::Part;

/// A kind of difference that is as it should be, or that only the SDK's makers can mend.
struct Exception {
    reason: &'static str,
    covers: fn(Subject, Part, &Difference) -> bool,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "the SDK's type has no absence for this number or boolean: absent and 0 or false are one to it",
        covers: |subject, part, difference| {
            let Difference { path, piton, boto3 } = difference;
            let nothing = |value: &Value| *value == json!(false) || value.as_f64() == Some(0.0);
            let is_one = match part {
                Part::Answer => boto3.is_null() && nothing(piton),
                Part::Request => piton.is_null() && nothing(boto3),
                Part::Refusal => false,
            };
            is_one && is_plain(subject, part, path)
        },
    },
    Exception {
        reason: "the SDK says some members of a JSON body in the query, too",
        covers: |subject, part, difference| {
            part == Part::Request
                && subject.model.script_name == "glue"
                && difference.path.starts_with("query/")
                && difference.boto3.is_null()
        },
    },
    Exception {
        reason: "the SDK has a default for this member: absent and default are one to it",
        covers: |_, _, difference| {
            let Difference { path, piton, boto3 } = difference;
            DEFAULTS.iter().any(|(member, default)| {
                let default = parsed(default);
                let is_one = (*piton == default && boto3.is_null())
                    || (*boto3 == default && piton.is_null());
                is_one && path.ends_with(member)
            })
        },
    },
    Exception {
        reason: "the SDK writes a union in a form without the name of its member: a mistake of the SDK",
        covers: |subject, part, difference| {
            part == Part::Request
                && UNIONS_IN_FORMS.iter().any(|(operation, member)| {
                    subject.name() == *operation && difference.path.starts_with(member)
                })
        },
    },
    Exception {
        reason: "boto3 names no content type for a body of bytes",
        covers: |subject, _, difference| {
            let input = subject.model.input_shape(subject.operation);
            difference.path == "headers/content-type"
                && difference.boto3.is_null()
                && input.is_some_and(|shape| shape.payload.is_some())
        },
    },
    Exception {
        reason: "an answer without a body: no bytes to boto3, nothing to the SDK",
        covers: |subject, part, difference| {
            let output = subject.model.output_shape(subject.operation);
            let payload = output.and_then(|shape| shape.payload.as_deref());
            part == Part::Answer
                && payload == Some(difference.path.as_str())
                && difference.piton.is_null()
                && difference.boto3 == json!("")
        },
    },
];

/// Members for which the crates have a default that the models do not have, as JSON. A request may
/// then say the default where nobody asked for it, or be silent where somebody did.
const DEFAULTS: &[(&str, &str)] = &[
    ("/ServicePassword", "\"\""),
    ("/ServiceUserName", "\"\""),
    ("LFTagPolicy/Expression", "[]"),
    ("EngineConfiguration/MaxConcurrentDpus", "20"),
    ("domainUnitFilter/includeChildDomainUnits", "false"),
    ("environmentProfileId", "\"\""),
    ("filter/operator", "\"EQ\""),
    ("filter/value", "\"\""),
    ("rowConfiguration/sensitive", "true"),
];

/// Where `query` services take unions: operation and place in the request.
const UNIONS_IN_FORMS: &[(&str, &str)] = &[
    ("iam.simulate_principal_policy", "body/PolicyExclusionList.member."),
    ("redshift.create_redshift_idc_application", "body/ServiceIntegrations.member."),
    ("redshift.deregister_namespace", "body/NamespaceIdentifier."),
    ("redshift.modify_redshift_idc_application", "body/ServiceIntegrations.member."),
    ("redshift.register_namespace", "body/NamespaceIdentifier."),
];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the table has JSON")
}

/// Why a difference is as it should be, where somebody knows.
pub(super) fn reason(
    subject: Subject,
    part: Part,
    difference: &Difference,
) -> Option<&'static str> {
    let exception = EXCEPTIONS.iter().find(|one| (one.covers)(subject, part, difference));
    exception.map(|exception| exception.reason)
}

/// Every reason: one that no difference has any more is to be struck out.
pub(super) fn reasons() -> impl Iterator<Item = &'static str> {
    EXCEPTIONS.iter().map(|exception| exception.reason)
}

/// Whether a member of an answer, or of a request's JSON body, is a number or a boolean.
fn is_plain(subject: Subject, part: Part, path: &str) -> bool {
    let Subject { model, operation } = subject;
    let (reference, path) = match part {
        Part::Answer => (&operation.output, Some(path)),
        _ => (&operation.input, path.strip_prefix("body/")),
    };
    let root = reference.as_ref().map(|reference| reference.shape.as_str());
    let mut segments = path.into_iter().flat_map(|path| path.split('/'));
    let shape = segments.try_fold(root, |at, segment| Some(below(model, at?, segment)));
    let kind = shape.flatten().map(|name| model.shape(name).kind);
    matches!(
        kind,
        Some(
            ShapeKind::Boolean
                | ShapeKind::Integer
                | ShapeKind::Long
                | ShapeKind::Float
                | ShapeKind::Double
        )
    )
}

/// The shape of a structure's member, or of an element of a list or map.
fn below<'a>(model: &'a Model, name: &str, segment: &str) -> Option<&'a str> {
    let shape = model.shape(name);
    let member = shape.member_named(segment).or(shape.member.as_deref()).or(shape.value.as_deref());
    member.map(|member| member.shape.as_str())
}
