//! Which failures the SDK may retry on its own.
//!
//! The SDK repeats a call whose answer got lost. For a read, or a call that carries a token or may be
//! repeated, that is right. For any other it could make a second thing, or turn its own success into
//! "already exists": there the loss has to come out, so that the engine can settle the doubt.

use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;

use crate::error::{is_broken_server, never_sent};

/// How a client repeats calls.
#[derive(Clone)]
pub(crate) struct Repeats {
    /// A call may be sent again when nobody knows what became of it.
    pub(crate) without_knowing: bool,
    /// Whose budget of retries is used; nothing means the SDK's, one a service and region.
    pub(crate) budget: Option<RetryPartition>,
}

/// A budget without end: the SDK's is shared by the whole process, so that faults injected in one
/// world would cost another its retries.
pub(crate) fn endless() -> RetryPartition {
    RetryPartition::custom("piton-sandbox").token_bucket(TokenBucket::unlimited()).build()
}

/// Forbids retries after which it is unknown whether the call had an effect.
#[derive(Debug)]
pub(crate) struct OnlyWithoutEffect;

impl ClassifyRetry for OnlyWithoutEffect {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        self.classify_retry_v2(context, &RetryAction::NoActionIndicated)
    }

    fn classify_retry_v2(
        &self,
        context: &InterceptorContext,
        previous: &RetryAction,
    ) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let throttled = matches!(
            previous,
            RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                ..
            })
        );
        let broken =
            context.response().is_some_and(|response| is_broken_server(response.status().as_u16()));
        let lost = match error.as_connector_error() {
            Some(error) => !never_sent(error),
            None => error.is_timeout_error() || error.is_response_error(),
        };
        if lost || (broken && !throttled) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "Only Without Effect"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
