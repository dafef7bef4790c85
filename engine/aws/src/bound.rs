//! Every operation of the typed SDK crates, called by name with plain data.
//!
//! The files below this one are generated: rows that pair a Rust name from the crate's source with the
//! wire name from the service model. The macros here give the rows their meaning, and [`convert`] has
//! what they share. Accounts, clients and what an SDK error means are left to the crate's other modules.

use std::future::Future;
use std::pin::Pin;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::Blob;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_types::SdkConfig;
use aws_types::request_id::RequestId;
use piton_models::validate::{Problem, ProblemKind, fill_absent, validate};
use serde_json::Value;

use crate::modelled::Modelled;
use crate::retries::{OnlyWithoutEffect, Repeats};

mod by_schema;
mod convert;

pub(crate) use convert::{In, Out};

/// What a service answered: the output and the id of the request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) output: Value,
    pub(crate) request_id: Option<String>,
}

/// An SDK error without the type of its operation; boxed, because it is large and rare.
pub(crate) type Failure = Box<SdkError<ErrorMetadata, HttpResponse>>;

/// A call on its way.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// Why a call was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The service has no such operation, or this version of its crate has not.
    UnknownOperation,
    /// The input does not fit.
    Input(Vec<Problem>),
}

/// Refuses an input of another form than the model's: what the rows below refuse as they convert.
/// Whether a text is long enough is left to AWS here.
pub(crate) fn check_form(service: &str, operation: &str, value: &Value) -> Result<(), Unsent> {
    let Some(model) = piton_models::service(service) else { return Ok(()) };
    let input = model
        .operation_by_script_name(operation)
        .and_then(|operation| Some(operation.input.as_ref()?.shape.as_str()));
    let mut problems = match input {
        Some(input) => validate(model, input, value, &|_| false),
        None => Vec::new(),
    };
    problems.retain(|problem| {
        matches!(
            problem.kind,
            ProblemKind::UnknownMember
                | ProblemKind::MissingMember
                | ProblemKind::WrongType
                | ProblemKind::Union
        )
    });
    if problems.is_empty() { Ok(()) } else { Err(Unsent::Input(problems)) }
}

fn reply<T: Out + RequestId, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Reply, Failure> {
    match result {
        Ok(output) => {
            let request_id = output.request_id().map(str::to_owned);
            Ok(Reply { output: output.give(), request_id })
        }
        Err(error) => Err(Box::new(error.map_service_error(|error| error.meta().clone()))),
    }
}

/// Like [`reply`] for an output with a streamed member, which is collected: a script has no use for
/// half an answer.
async fn collected<T: Out + RequestId, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
    member: &str,
    take: fn(&mut T) -> ByteStream,
) -> Result<Reply, Failure> {
    let mut output = match result {
        Ok(output) => output,
        failed => return reply(failed),
    };
    let bytes = take(&mut output).collect().await.map_err(|error| {
        Box::new(SdkError::dispatch_failure(ConnectorError::io(Box::new(error))))
    })?;
    let mut answered = reply::<T, E>(Ok(output))?;
    answered.output[member] = Blob::new(bytes.into_bytes()).give();
    Ok(answered)
}

/// `operations! { "create_project" InputBuilder; }`: a `perform` that finds an operation by its script
/// name, and the list of those names. `, field "Member"` after the builder is a streamed member of the
/// output.
macro_rules! operations {
    (@send $client:ident $builder:ident) => {
        Box::pin(async move { super::reply($builder.send_with(&$client).await) })
    };
    (@send $client:ident $builder:ident $field:ident $member:literal) => {
        Box::pin(async move {
            let sent = $builder.send_with(&$client).await;
            super::collected(sent, $member, |output| std::mem::take(&mut output.$field)).await
        })
    };
    ($($name:literal $builder:path $(, $field:ident $member:literal)?;)*) => {
        /// The script's names of the bound operations.
        pub(crate) const OPERATIONS: &[&str] = &[$($name),*];

        /// Starts one call. The future is the SDK's, with its retries.
        pub(crate) fn perform(
            client: &Client,
            operation: &str,
            input: serde_json::Value,
        ) -> Result<super::Sending, super::Unsent> {
            let client = client.clone();
            match operation {
                $($name => {
                    // A function of its own: an unoptimised build gives one function room on the
                    // stack for the inputs of all its operations at once, more than a thread has.
                    fn start(
                        client: Client,
                        input: serde_json::Value,
                    ) -> Result<super::Sending, super::Unsent> {
                        let builder = super::input::<$builder>(input)?;
                        Ok(operations!(@send client builder $($field $member)?))
                    }
                    start(client, input)
                })*
                _ => Err(super::Unsent::UnknownOperation),
            }
        }
    };
}

/// `operations_by_schema! { "athena" "get_session" Input, InputBuilder { set_x x, } }`: like
/// `operations!` for a crate whose types describe themselves. The builder alone can be sent, so the
/// fields are moved into it.
macro_rules! operations_by_schema {
    ($service:literal $($name:literal $input:path, $builder:path {
        $($setter:ident $field:ident,)*
    })*) => {
        /// The script's names of the bound operations.
        pub(crate) const OPERATIONS: &[&str] = &[$($name),*];

        /// Starts one call. The future is the SDK's, with its retries.
        pub(crate) fn perform(
            client: &Client,
            operation: &str,
            input: serde_json::Value,
        ) -> Result<super::Sending, super::Unsent> {
            let client = client.clone();
            match operation {
                $($name => {
                    // A function of its own, as in `operations!`.
                    fn start(
                        client: Client,
                        input: serde_json::Value,
                    ) -> Result<super::Sending, super::Unsent> {
                        let input =
                            super::by_schema::read($service, $name, &input, <$input>::deserialize)?;
                        let builder = <$builder>::default()$(.$setter(input.$field))*;
                        Ok(Box::pin(async move {
                            super::by_schema::reply(builder.send_with(&client).await)
                        }))
                    }
                    start(client, input)
                })*
                _ => Err(super::Unsent::UnknownOperation),
            }
        }
    };
}

/// `enums! { types::Kind, }`: string enums, in both directions; a value that the crate does not know
/// is kept as it is.
macro_rules! enums {
    ($($enum:path,)*) => {
        $(impl super::convert::Text for $enum {
            fn from_text(text: String) -> Self {
                Self::from(text.as_str())
            }
            fn as_text(&self) -> &str {
                self.as_str()
            }
        })*
        $(super::convert::text!($enum);)*
    };
}

/// A structure or union that is sent. `sent` is an operation's input, `checked` a structure whose
/// builder may refuse, `plain` one whose builder does not.
macro_rules! input {
    (sent $builder:path { $($setter:ident $member:literal,)* }) => {
        impl super::convert::In for $builder {
            fn take(value: serde_json::Value) -> Result<Self, super::convert::Problems> {
                let mut fields = super::convert::Fields::open(value)?;
                let builder = Self::default()$(.$setter(fields.get($member)))*;
                fields.close(builder)
            }
        }
    };
    (plain $type:path { $($setter:ident $member:literal,)* }) => {
        impl super::convert::In for $type {
            fn take(value: serde_json::Value) -> Result<Self, super::convert::Problems> {
                let mut fields = super::convert::Fields::open(value)?;
                let builder = Self::builder()$(.$setter(fields.get($member)))*;
                fields.close(builder.build())
            }
        }
    };
    (checked $type:path { $($setter:ident $member:literal,)* }) => {
        impl super::convert::In for $type {
            fn take(value: serde_json::Value) -> Result<Self, super::convert::Problems> {
                let mut fields = super::convert::Fields::open(value)?;
                let builder = Self::builder()$(.$setter(fields.get($member)))*;
                fields.close_checked(builder.build())
            }
        }
    };
    (union $type:path { $($variant:ident $member:literal,)* }) => {
        impl super::convert::In for $type {
            fn take(value: serde_json::Value) -> Result<Self, super::convert::Problems> {
                const MEMBERS: &[&str] = &[$($member),*];
                let (member, value) = super::convert::only_member(value, MEMBERS)?;
                match member.as_str() {
                    $($member => super::convert::at($member, super::convert::In::take(value))
                        .map(Self::$variant),)*
                    _ => Err(super::convert::unknown_member(&member, MEMBERS)),
                }
            }
        }
    };
}

/// A structure or union that is answered; what is absent stays out, `fill_absent` puts the nulls in.
macro_rules! output {
    (union $type:path { $($variant:ident $member:literal,)* }) => {
        impl super::convert::Out for $type {
            fn give(self) -> serde_json::Value {
                match self {
                    $(Self::$variant(value) => super::convert::one_key($member, value),)*
                    // A member that this version of the crate does not know has no name to give.
                    _ => serde_json::Value::Null,
                }
            }
        }
    };
    ($type:path { $($field:ident $member:literal,)* }) => {
        impl super::convert::Out for $type {
            fn give(self) -> serde_json::Value {
                super::convert::Members::default()$(.put($member, self.$field))*.close()
            }
        }
    };
}

fn input<T: In>(value: Value) -> Result<T, Unsent> {
    T::take(value).map_err(Unsent::Input)
}

/// `services! { "name" module crate Variant, }`: the client of each service and the way to its rows.
macro_rules! services {
    ($($name:literal $module:ident $krate:ident $variant:ident,)*) => {
        $(
            #[rustfmt::skip]
            #[allow(deprecated, reason = "members that AWS advises against still arrive")]
            #[allow(unused_mut, reason = "some operations take or answer no members")]
            mod $module;
        )*

        /// A client of one service.
        #[derive(Clone)]
        pub(crate) enum Client {
            $($variant($krate::Client),)*
            /// A service without a typed client.
            Modelled(Modelled),
        }

        impl Client {
            /// The client of a service by the script's name.
            /// `path_style` keeps buckets out of host names.
            pub(crate) fn new(
                service: &str,
                config: &SdkConfig,
                repeats: &Repeats,
                path_style: bool,
            ) -> Option<Self> {
                match service {
                    $($name => {
                        let mut builder = $krate::config::Builder::from(config);
                        builder.set_retry_partition(repeats.budget.clone());
                        if !repeats.without_knowing {
                            builder = builder.retry_classifier(OnlyWithoutEffect);
                        }
                        Some(Self::$variant($krate::Client::from_conf(builder.build())))
                    })*
                    further => {
                        let model = piton_models::service(further)?;
                        Some(Self::Modelled(Modelled::new(model, config, repeats, path_style)))
                    }
                }
            }

            fn service(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Modelled(client) => client.service(),
                }
            }

            fn start(&self, operation: &str, input: Value) -> Result<Sending, Unsent> {
                match self {
                    $(Self::$variant(client) => $module::perform(client, operation, input),)*
                    Self::Modelled(client) => client.perform(operation, &input),
                }
            }
        }

        /// The script's names of the operations that are bound, in order; empty for a service that
        /// has no typed binding.
        pub fn bound_operations(service: &str) -> &'static [&'static str] {
            match service {
                $($name => $module::OPERATIONS,)*
                _ => &[],
            }
        }

        /// The version of a service's typed crate, such as `aws-sdk-ram 1.121.0`; nothing for a
        /// service that has none. What is left out is newer than it.
        pub fn sdk_version(service: &str) -> Option<String> {
            match service {
                $($name => {
                    let krate = stringify!($krate).replace('_', "-");
                    Some(format!("{krate} {}", $krate::meta::PKG_VERSION))
                })*
                _ => None,
            }
        }

        /// Operations and members that the models have and this version of the SDK crates has not;
        /// a member as `Structure.member`.
        pub fn left_out(service: &str) -> &'static [&'static str] {
            match service {
                $($name => $module::LEFT_OUT,)*
                _ => &[],
            }
        }
    };
}

services! {
    "athena" athena aws_sdk_athena Athena,
    "datazone" datazone aws_sdk_datazone Datazone,
    "glue" glue aws_sdk_glue Glue,
    "iam" iam aws_sdk_iam Iam,
    "lakeformation" lakeformation aws_sdk_lakeformation Lakeformation,
    "ram" ram aws_sdk_ram Ram,
    "redshift" redshift aws_sdk_redshift Redshift,
    "redshift_data" redshift_data aws_sdk_redshiftdata RedshiftData,
    "redshift_serverless" redshift_serverless aws_sdk_redshiftserverless RedshiftServerless,
    "secretsmanager" secretsmanager aws_sdk_secretsmanager Secretsmanager,
    "sts" sts aws_sdk_sts Sts,
}

impl Client {
    /// Sends one call and waits for its answer; absent members of the answer are null.
    pub(crate) fn perform(&self, operation: &str, input: Value) -> Result<Sending, Unsent> {
        let sending = self.start(operation, input)?;
        let model = piton_models::service(self.service());
        let shape = model.and_then(|model| {
            let operation = model.operation_by_script_name(operation)?;
            Some((model, operation.output.as_ref()?.shape.as_str()))
        });
        Ok(Box::pin(async move {
            let mut reply = sending.await?;
            if let Some((model, shape)) = shape {
                fill_absent(model, shape, &mut reply.output);
            }
            Ok(reply)
        }))
    }
}
