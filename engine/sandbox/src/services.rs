//! One service, one room: each answers the operations it knows and moves its own state machines.

pub(crate) mod athena;
pub(crate) mod cloudtrail;
pub(crate) mod datazone;
pub(crate) mod glue;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod lakeformation;
pub(crate) mod organizations;
pub(crate) mod pages;
pub(crate) mod ram;
pub(crate) mod redshift;
pub(crate) mod redshift_data;
pub(crate) mod redshift_serverless;
pub(crate) mod s3;
pub(crate) mod secretsmanager;
pub(crate) mod service_quotas;
pub(crate) mod sts;

use serde_json::Value;
use time::OffsetDateTime;

use crate::people::Principal;
use crate::world::{Due, Scope, World};

/// One authenticated, parsed and validated request.
pub(crate) struct Call<'a> {
    /// The state; writes are kept only when the reply is a success.
    pub(crate) world: &'a World<'a>,
    /// Who calls: account, ARN, and the keys they came with.
    pub(crate) principal: &'a Principal,
    /// Region from the credential scope, `eu-west-1`.
    pub(crate) region: &'a str,
    /// AWS's name of the operation, `CreateProject`.
    pub(crate) operation: &'a str,
    /// Input by the model's member names; blobs base64, timestamps RFC 3339.
    pub(crate) input: &'a Value,
}

impl Call<'_> {
    /// Where the caller's regional resources live.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(&self.principal.account, self.region)
    }

    /// The virtual clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.world.now()
    }

    /// A text member of the input, empty when it is absent.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.input.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

/// An error answer: the code of a modelled error (or a common one), and its message.
#[derive(Debug, Clone)]
pub(crate) struct AwsFault {
    /// Error shape or wire code, `ResourceNotFoundException`.
    pub(crate) code: String,
    /// Text for people.
    pub(crate) message: String,
    /// HTTP status when the model does not say it.
    pub(crate) status: Option<u16>,
}

impl AwsFault {
    /// An error with the model's own HTTP status.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: None }
    }
}

/// What an operation answers: the output by the model's member names, or an error.
pub(crate) type Reply = Result<Value, AwsFault>;

/// The behaviour of one service.
pub(crate) trait Service: Sync {
    /// The script's name, `redshift_data`; also the name of its model.
    fn name(&self) -> &'static str;

    /// The operations it implements, by AWS's names, in order. Everything else is answered with
    /// `not implemented in the sandbox`.
    fn implements(&self) -> &'static [&'static str];

    /// Answers one of those operations.
    fn answer(&self, call: &Call<'_>) -> Reply;

    /// Applies an event that this service scheduled and that is now due.
    fn due(&self, world: &World<'_>, due: &Due) {
        let _ = (world, due);
    }

    /// The ARN that an IAM policy's `Resource` is compared with; `*` when the action has none.
    fn resource_arn(&self, call: &Call<'_>) -> String {
        let _ = call;
        "*".to_owned()
    }

    /// Tags of the resource that the call is about: what `aws:ResourceTag/…` conditions see.
    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let _ = call;
        Vec::new()
    }

    /// Further condition keys of the call, such as `iam:PolicyARN`.
    fn condition_keys(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let _ = call;
        Vec::new()
    }

    /// Headers that every answer to this input has, errors included.
    fn answer_headers(&self, world: &World<'_>, input: &Value) -> Vec<(&'static str, String)> {
        let _ = (world, input);
        Vec::new()
    }

    /// The service decides about access to this call itself, such as a role's trust policy does.
    fn decides_access(&self, call: &Call<'_>) -> bool {
        let _ = call;
        false
    }
}

/// Every service of the sandbox.
static ALL: &[&dyn Service] = &[
    &athena::Athena,
    &cloudtrail::CloudTrail,
    &datazone::DataZone,
    &glue::Glue,
    &iam::Iam,
    &kms::Kms,
    &lakeformation::LakeFormation,
    &organizations::Organizations,
    &ram::Ram,
    &redshift::Redshift,
    &redshift_data::RedshiftData,
    &redshift_serverless::RedshiftServerless,
    &s3::S3,
    &secretsmanager::SecretsManager,
    &service_quotas::ServiceQuotas,
    &sts::Sts,
];

/// The service with this script name.
pub(crate) fn by_name(name: &str) -> Option<&'static dyn Service> {
    ALL.iter().find(|service| service.name() == name).copied()
}

/// What the sandbox answers: each service with the AWS names of its operations, in order. Every
/// other operation is refused by name.
pub fn coverage() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    ALL.iter().map(|service| (service.name(), service.implements()))
}
