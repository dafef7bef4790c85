//! What `rest-xml` puts into its body: one XML document, or a payload as it is. Everything outside
//! the body is `rest`'s, as it is for `rest-json`.

use http::{HeaderMap, HeaderValue, Request};
use piton_models::{Model, Operation, ShapeKind, ShapeRef};
use serde_json::{Map, Value};

use super::at::At;
use super::rest::{self, raw_payload};
use super::{ProtocolError, xml};

/// The one operation whose answer is its member's text, without an element around it.
const UNWRAPPED: &str = "GetBucketLocation";

/// Names that Amazon S3 gives the root elements of its answers; the model does not have them.
const ROOTS: [(&str, &str); 10] = [
    ("DeleteObjects", "DeleteResult"),
    ("GetBucketAcl", "AccessControlPolicy"),
    ("GetBucketTagging", "Tagging"),
    ("GetBucketVersioning", "VersioningConfiguration"),
    ("GetObjectTagging", "Tagging"),
    ("ListBuckets", "ListAllMyBucketsResult"),
    ("ListObjectVersions", "ListVersionsResult"),
    ("ListObjects", "ListBucketResult"),
    ("ListObjectsV2", "ListBucketResult"),
    ("ListParts", "ListPartsResult"),
];

/// The body of a request, with its content type.
pub(super) fn write_request(
    operation: &Operation,
    at: At<'_>,
    input: &Value,
) -> Result<Option<(Vec<u8>, String)>, ProtocolError> {
    let Some(reference) = &operation.input else { return Ok(None) };
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    let empty = at.shape.payload.is_none()
        && !at.members().any(|(name, member)| member.location().is_none() && given(name));
    if empty {
        return Ok(None);
    }
    write(reference, at, input, &reference.shape)
}

/// The body of an answer, with its content type.
pub(super) fn write_response(
    operation: &Operation,
    at: At<'_>,
    output: &Value,
) -> Result<Option<(Vec<u8>, String)>, ProtocolError> {
    let Some(reference) = &operation.output else { return Ok(None) };
    if operation.name == UNWRAPPED {
        let mut document = String::new();
        let unwrapped = at.members().next();
        if let Some((name, member)) = unwrapped {
            let empty = Value::String(String::new());
            let value = output.get(name).filter(|value| !value.is_null()).unwrap_or(&empty);
            let namespace = service_namespace(at.model);
            xml::write_root(member, name, namespace, value, &mut document);
        }
        return Ok(as_xml(document));
    }
    let root = ROOTS.iter().find(|(name, _)| *name == operation.name);
    write(reference, at, output, root.map_or(&reference.shape, |(_, root)| *root))
}

fn write(
    reference: &ShapeRef,
    at: At<'_>,
    value: &Value,
    root: &str,
) -> Result<Option<(Vec<u8>, String)>, ProtocolError> {
    let Some(payload) = at.shape.payload.as_deref() else {
        if !at.members().any(|(_, member)| member.location().is_none()) {
            return Ok(None);
        }
        let given = reference.location_name.as_deref();
        let root = at.location_name().or(given).unwrap_or(root);
        let given = reference.xml_namespace.as_ref();
        let given = given.map(|given| (given.uri.as_str(), given.prefix.as_deref()));
        let namespace = given.or(xml::namespace_of(at)).or(service_namespace(at.model));
        let mut document = String::new();
        xml::write_root(at, root, namespace, value, &mut document);
        return Ok(as_xml(document));
    };
    let member = at.member_named(payload);
    let given = value.get(payload).filter(|value| !value.is_null());
    let (Some(member), Some(given)) = (member, given) else { return Ok(None) };
    if let Some(raw) = raw_payload(member, payload, given)? {
        return Ok(Some(raw));
    }
    let namespace = xml::namespace_of(member).or(service_namespace(at.model));
    let mut document = String::new();
    xml::write_root(member, member.root_name(payload), namespace, given, &mut document);
    Ok(as_xml(document))
}

fn as_xml(document: String) -> Option<(Vec<u8>, String)> {
    Some((document.into_bytes(), "application/xml".to_owned()))
}

fn service_namespace(model: &Model) -> Option<xml::Namespace<'_>> {
    model.metadata.xml_namespace.as_deref().map(|uri| (uri, None))
}

/// Values of the body of a request or an answer.
pub(super) fn read_body(
    at: At<'_>,
    body: &[u8],
    into: &mut Map<String, Value>,
) -> Result<(), ProtocolError> {
    if let Some(payload) = at.shape.payload.as_deref() {
        let Some(member) = at.member_named(payload).filter(|_| !body.is_empty()) else {
            return Ok(());
        };
        let value = match member.kind() {
            ShapeKind::Blob | ShapeKind::String => rest::read_raw(member, body),
            _ => xml::read_document(member, text(body)?)?,
        };
        into.insert(payload.to_owned(), value);
        return Ok(());
    }
    let has_body = at.members().any(|(_, member)| member.location().is_none());
    if !has_body || body.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    if let Value::Object(members) = xml::read_document(at, text(body)?)? {
        into.extend(members);
    }
    Ok(())
}

/// Values of the body of an answer.
pub(super) fn read_response(
    operation: &Operation,
    at: At<'_>,
    body: &[u8],
    into: &mut Map<String, Value>,
) -> Result<(), ProtocolError> {
    if operation.name != UNWRAPPED {
        return read_body(at, body, into);
    }
    if let Some((name, member)) = at.members().next() {
        let value = xml::read_document(member, text(body)?)?;
        if value.as_str().is_some_and(|text| !text.is_empty()) {
            into.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

fn text(body: &[u8]) -> Result<&str, ProtocolError> {
    std::str::from_utf8(body).map_err(|error| ProtocolError::Body(error.to_string()))
}

/// The body of a request whose client sent it in signed chunks, put together again; and its headers
/// without what said so.
pub(super) fn unchunked(request: &Request<Vec<u8>>) -> Option<(Vec<u8>, HeaderMap)> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let encoding = header("content-encoding").unwrap_or_default();
    let streamed =
        header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
    if !streamed && !encoding.contains("aws-chunked") {
        return None;
    }
    let mut headers = request.headers().clone();
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "aws-chunked")
        .collect();
    headers.remove("content-encoding");
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join(","))
    {
        headers.insert("content-encoding", value);
    }
    let mut body = Vec::new();
    let mut rest = request.body().as_slice();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(end + 2..end + 2 + size).filter(|_| size > 0) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + size + 2..).unwrap_or_default();
    }
    let length = HeaderValue::from_str(&body.len().to_string());
    if let Ok(length) = length {
        headers.insert("content-length", length);
    }
    Some((body, headers))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::unchunked;

    #[test]
    fn chunks_are_put_together_and_trailers_left_out() {
        let body =
            "4;chunk-signature=00\r\nWiki\r\n5\r\npedia\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        let request = Request::builder()
            .header("content-encoding", "gzip,aws-chunked")
            .body(body.as_bytes().to_vec())
            .expect("a request");
        let (body, headers) = unchunked(&request).expect("chunks");
        assert_eq!(body, b"Wikipedia");
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["content-length"], "9");
    }
}
