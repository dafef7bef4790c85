//! What an SDK error means for a run.
//!
//! AWS's last word is an outcome. Everything else is one of three things that never become an outcome:
//! it certainly had no effect, nobody knows whether it had one, or there are no usable credentials.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::request_id::RequestId as _;
use hyper_util::client::legacy;
use piton_core::catalogue::Class;
use piton_core::ports::{AwsError, CallFailure};

use crate::bound::Failure;
use crate::credentials::DerivationFailed;

/// The code of an answer that is not AWS's: a proxy's page, a truncated body.
pub const UNREADABLE_RESPONSE: &str = "UnreadableResponse";

const THROTTLING: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The credentials are missing, expired or wrong, or the clock they were signed with is.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Refusals that AWS itself expects to pass.
const RETRYABLE: &[&str] = &[
    "ActiveSessionsExceededException",
    "ActiveStatementsExceededException",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
];

/// What an answer of a broken server or a gateway looks like: the effect may have happened.
pub(crate) fn is_broken_server(status: u16) -> bool {
    matches!(status, 500 | 502 | 504)
}

/// The call that failed.
pub(crate) struct Attempted<'a> {
    pub(crate) alias: &'a str,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) class: Class,
    /// The operation takes no credentials, so a refused token is one of its input.
    pub(crate) anonymous: bool,
    pub(crate) renew_with: Option<String>,
}

impl Attempted<'_> {
    /// The failure in core's terms.
    pub(crate) fn failure(&self, error: Failure) -> CallFailure {
        match *error {
            SdkError::ServiceError(context) => self.refusal(context.err(), context.raw()),
            SdkError::ResponseError(context) => self.unreadable(context.raw(), None),
            SdkError::TimeoutError(_) => {
                self.unknown_effect(&format!("no answer in time: {}", chain(&error)))
            }
            SdkError::DispatchFailure(ref context) => match context.as_connector_error() {
                Some(connector) => self.dispatch(connector),
                None => self.unknown_effect(&chain(&error)),
            },
            SdkError::ConstructionFailure(_) => {
                CallFailure::Invalid { path: String::new(), message: chain(&error) }
            }
            _ => self.unknown_effect(&chain(&error)),
        }
    }

    fn refusal(&self, error: &ErrorMetadata, raw: &HttpResponse) -> CallFailure {
        let status = raw.status().as_u16();
        let request_id = error.request_id().or_else(|| raw.request_id()).map(str::to_owned);
        match error.code() {
            Some(code) => {
                let message = error.message().unwrap_or("no message").to_owned();
                self.by_status(status, code, message, request_id)
            }
            None => self.unreadable(raw, request_id),
        }
    }

    fn unreadable(&self, raw: &HttpResponse, request_id: Option<String>) -> CallFailure {
        let status = raw.status().as_u16();
        // With a success status the call was done, and only its answer is unreadable. Its text is
        // not shown: it may be half of a secret.
        if raw.status().is_success() {
            return self.unknown_effect(&format!("HTTP {status} with an unreadable answer"));
        }
        let message = format!("HTTP {status}: {}", excerpt(raw));
        self.by_status(status, UNREADABLE_RESPONSE, message, request_id)
    }

    fn by_status(
        &self,
        status: u16,
        code: &str,
        message: String,
        request_id: Option<String>,
    ) -> CallFailure {
        if CREDENTIALS.contains(&code) && !self.anonymous {
            return self
                .credentials(format!("AWS does not accept the credentials: {code}: {message}"));
        }
        if THROTTLING.contains(&code) || status == 429 || status == 503 {
            return self.unavailable(&format!("{code}: {message} (HTTP {status})"));
        }
        if is_broken_server(status) {
            return self.unknown_effect(&format!("{code}: {message} (HTTP {status})"));
        }
        CallFailure::Refused(AwsError {
            service: self.service.to_owned(),
            operation: self.operation.to_owned(),
            code: code.to_owned(),
            message,
            http_status: Some(status),
            request_id,
            retryable: RETRYABLE.contains(&code),
        })
    }

    fn dispatch(&self, error: &ConnectorError) -> CallFailure {
        if let Some(failed) = find::<DerivationFailed>(error) {
            return failed.0.clone();
        }
        if let Some(missing) = find::<CredentialsError>(error) {
            return self.credentials(format!("no usable credentials: {}", chain(missing)));
        }
        if never_sent(error) {
            return self.unavailable(&format!("AWS cannot be reached: {}", chain(error)));
        }
        self.unknown_effect(&format!("the connection broke: {}", chain(error)))
    }

    fn credentials(&self, message: String) -> CallFailure {
        CallFailure::Credentials {
            alias: self.alias.to_owned(),
            message,
            renew_with: self.renew_with.clone(),
        }
    }

    fn unavailable(&self, message: &str) -> CallFailure {
        CallFailure::Unavailable {
            message: format!("{}.{}: {message}", self.service, self.operation),
        }
    }

    /// Sent, and no answer that says what became of it. A read has no effect to be in doubt about.
    fn unknown_effect(&self, message: &str) -> CallFailure {
        if self.class.is_mutating() {
            let message = format!("{}.{}: {message}", self.service, self.operation);
            CallFailure::ReplyLost { message }
        } else {
            self.unavailable(message)
        }
    }
}

/// Whether a connector's error came before anything was sent. The SDK does not say so itself: its
/// connector reports a refused connection and a broken one alike as I/O errors.
pub(crate) fn never_sent(error: &ConnectorError) -> bool {
    error.is_user()
        // An `other` error is about making the request: endpoint, identity, signature.
        || (error.is_other() && find::<legacy::Error>(error).is_none())
        || find::<legacy::Error>(error).is_some_and(legacy::Error::is_connect)
}

/// The first error of a type in a chain of sources.
pub(crate) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error and its sources in one line; a source that says nothing new is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let part = error.to_string();
        if !part.is_empty() && !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = error.source();
    }
    text
}

/// The beginning of an error answer that could not be read, in one line and without markup.
fn excerpt(raw: &HttpResponse) -> String {
    const SHOWN: usize = 160;
    let body = raw.body().bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let mut plain = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if !in_tag => plain.push(character),
            _ => {}
        }
    }
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        _ if words.is_empty() => "an answer without a readable body".to_owned(),
        Some((end, _)) => format!("an unreadable answer: {}...", &words[..end]),
        None => format!("an unreadable answer: {words}"),
    }
}
