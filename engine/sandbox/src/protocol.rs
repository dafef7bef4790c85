//! AWS's wire protocols, in both directions, driven by the service models.
//!
//! Between HTTP and JSON values: `rest-json`, `json` (1.0 and 1.1), `query` and `rest-xml`, the four
//! that the listed services speak. The server side turns requests into inputs and outputs into answers; the
//! client side does the reverse, for tests and for services that have no typed client. A value has
//! the model's member names; blobs are base64 text, timestamps RFC 3339 text, numbers that JSON
//! lacks the texts `NaN`, `Infinity` and `-Infinity`. What an operation does, and whether its input
//! makes sense, is no matter of this module.
//!
//! # Layout
//! - [`client`], [`server`]: the two ends, for every protocol.
//! - `route`: which service and operation a request is for.
//! - `rest`: labels, query parameters, headers, payloads. `json`: JSON bodies; `rest_xml`: XML bodies.
//! - `form`, `xml`: what `query` sends and answers.
//! - `at`: a shape where it is used; `scalar`: numbers, times and texts outside JSON.

mod at;
pub mod client;
mod form;
mod json;
mod rest;
mod rest_xml;
mod route;
mod scalar;
pub mod server;
mod xml;

pub use route::{Credential, Route, RouteError, addressed, route};

/// A message that does not follow its protocol or its model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A value of another kind than its shape.
    #[error("{path}: expected {expected}")]
    Kind {
        /// Members and positions joined by `/`.
        path: String,
        /// What the shape says.
        expected: &'static str,
    },
    /// A label of the URI has no value.
    #[error("{0} is part of the URI and must not be empty")]
    EmptyLabel(String),
    /// The body is not of the protocol's form.
    #[error("the body cannot be read: {0}")]
    Body(String),
    /// The model asks for a protocol that nothing here speaks.
    #[error("the protocol {0} is not supported")]
    Unsupported(String),
    /// A URI, a header or a method that HTTP does not allow.
    #[error("the message is not HTTP: {0}")]
    Http(String),
}

/// An error answer, independent of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceError {
    /// The code on the wire, `NoSuchEntity`; the answering end takes the shape's name as well.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// HTTP status.
    pub status: u16,
    /// All members of the error's shape that were sent.
    pub members: serde_json::Value,
}

/// Text with everything but unreserved characters percent-encoded, as IAM shows policy documents.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    rest::percent_encode(text, "", &mut encoded);
    encoded
}

/// Text without its percent-encoding.
pub(crate) fn percent_decoded(text: &str) -> String {
    rest::percent_decode(text)
}

impl From<http::Error> for ProtocolError {
    fn from(error: http::Error) -> Self {
        Self::Http(error.to_string())
    }
}
