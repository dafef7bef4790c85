//! The parsed form of one service model, in botocore's own terms.
//!
//! Names here are the model's: a shape is referred to by its shape name, a member by its wire name.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex_lite::Regex;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::{names, suggest};

/// A model that cannot be used, with the reason.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is not a service model.
    #[error("the service model is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A shape or operation refers to a shape that the model does not have.
    #[error("the service model refers to the shape {0}, which it does not have")]
    MissingShape(String),
}

/// One service: its operations and the shapes they use.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// What the service is called and which protocol it speaks.
    pub metadata: Metadata,
    /// Operations by AWS's name, `CreateProject`.
    #[serde(deserialize_with = "packed")]
    pub operations: BTreeMap<String, Operation>,
    /// Shapes by shape name.
    #[serde(deserialize_with = "packed")]
    pub shapes: BTreeMap<String, Shape>,
    /// Pagination by AWS's operation name; only operations that page are here.
    #[serde(default)]
    pub paginators: BTreeMap<String, Paginator>,
    /// How to find the service's host: botocore's endpoint rule set, for services that have no typed
    /// client to know it.
    #[serde(default, rename = "endpointRules")]
    pub endpoint_rules: Option<serde_json::Value>,
    /// The script's name of the service (`redshift_data`), as the embedded files are called.
    #[serde(default)]
    pub script_name: String,
    #[serde(skip)]
    by_script_name: BTreeMap<String, String>,
}

impl Model {
    /// Parses a model and checks that every shape it refers to is there.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let mut model: Self = serde_json::from_str(text)?;
        for (name, operation) in &mut model.operations {
            operation.name.clone_from(name);
        }
        model.by_script_name =
            model.operations.keys().map(|wire| (names::to_script(wire), wire.clone())).collect();
        model.check_references()?;
        Ok(model)
    }

    fn check_references(&self) -> Result<(), ModelError> {
        let known = |name: &str| match self.shapes.contains_key(name) {
            true => Ok(()),
            false => Err(ModelError::MissingShape(name.to_owned())),
        };
        for operation in self.operations.values() {
            for reference in operation.input.iter().chain(&operation.output) {
                known(&reference.shape)?;
            }
            for error in &operation.errors {
                known(&error.shape)?;
            }
        }
        for shape in self.shapes.values() {
            for member in shape.members.0.iter().map(|(_, member)| member) {
                known(&member.shape)?;
            }
            for member in shape.member.iter().chain(&shape.key).chain(&shape.value) {
                known(&member.shape)?;
            }
        }
        Ok(())
    }

    /// The operation that a script calls by this name (`create_project`).
    pub fn operation_by_script_name(&self, name: &str) -> Option<&Operation> {
        self.by_script_name.get(name).and_then(|wire| self.operations.get(wire))
    }

    /// The script's names of all operations, in order.
    pub fn script_names(&self) -> impl Iterator<Item = &str> {
        self.by_script_name.keys().map(String::as_str)
    }

    /// A shape that is known to exist, because [`Model::parse`] checked every reference.
    ///
    /// # Panics
    /// When `name` does not come from this model: that is a bug in the caller.
    pub fn shape(&self, name: &str) -> &Shape {
        self.shapes.get(name).unwrap_or_else(|| panic!("shape {name} is not in this model"))
    }

    /// The input structure of an operation, when it has one.
    pub fn input_shape(&self, operation: &Operation) -> Option<&Shape> {
        operation.input.as_ref().map(|reference| self.shape(&reference.shape))
    }

    /// The output structure of an operation, when it has one.
    pub fn output_shape(&self, operation: &Operation) -> Option<&Shape> {
        operation.output.as_ref().map(|reference| self.shape(&reference.shape))
    }

    /// The input member that carries an idempotency token, by its wire name: the member that the
    /// model flags.
    pub fn token_member(&self, operation: &Operation) -> Option<&str> {
        self.input_shape(operation)?
            .members
            .0
            .iter()
            .find(|(_, member)| member.idempotency_token)
            .map(|(name, _)| name.as_str())
    }
}

/// Wire protocol of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `rest-json`: members in URI, query, headers and a JSON body.
    RestJson,
    /// `json`: the operation in `X-Amz-Target`, everything in a JSON body.
    Json,
    /// `query`: a form in, XML out.
    Query,
    /// `rest-xml`: members in URI, query, headers and an XML body.
    RestXml,
    /// Anything else: nothing here speaks it, and a test says so when a model brings it.
    Other,
}

/// The model's metadata block.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// API version, `2018-05-10`.
    pub api_version: String,
    /// First label of the service's host name.
    pub endpoint_prefix: String,
    /// botocore's protocol name; see [`Metadata::protocol`].
    #[serde(rename = "protocol")]
    pub protocol_name: String,
    /// AWS's service id, `DataZone`.
    pub service_id: String,
    /// Name in the SigV4 credential scope; absent means the endpoint prefix.
    pub signing_name: Option<String>,
    /// Prefix of `X-Amz-Target` for `json` services.
    pub target_prefix: Option<String>,
    /// `1.0` or `1.1` for `json` services.
    pub json_version: Option<String>,
    /// Namespace of XML answers.
    pub xml_namespace: Option<String>,
}

impl Metadata {
    /// The protocol as a closed set.
    pub fn protocol(&self) -> Protocol {
        match self.protocol_name.as_str() {
            "rest-json" => Protocol::RestJson,
            "json" => Protocol::Json,
            "query" => Protocol::Query,
            "rest-xml" => Protocol::RestXml,
            _ => Protocol::Other,
        }
    }

    /// The service name in a request's SigV4 credential scope.
    pub fn signing_name(&self) -> &str {
        self.signing_name.as_deref().unwrap_or(&self.endpoint_prefix)
    }
}

/// A reference from an operation to one of its shapes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShapeRef {
    /// Shape name.
    pub shape: String,
    /// Element that wraps the answer in `query` services, `CreateRoleResult`.
    pub result_wrapper: Option<String>,
    /// Root element of the body in `rest-xml` services, when it is not the shape's name.
    pub location_name: Option<String>,
    /// XML namespace of that element.
    pub xml_namespace: Option<XmlNamespace>,
}

/// One operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// AWS's name, `CreateProject`.
    #[serde(default)]
    pub name: String,
    /// Method, URI template and success status.
    #[serde(default)]
    pub http: HttpTrait,
    /// Input structure.
    pub input: Option<ShapeRef>,
    /// Output structure.
    pub output: Option<ShapeRef>,
    /// Modelled errors.
    #[serde(default)]
    pub errors: Vec<ShapeRef>,
    /// The model says that repeating the call has the effect of one call.
    #[serde(default)]
    pub idempotent: bool,
    /// The model says that the call changes nothing.
    #[serde(default)]
    pub readonly: bool,
    /// AWS advises against new uses.
    #[serde(default)]
    pub deprecated: bool,
    /// `none` for operations that are called without credentials.
    pub authtype: Option<String>,
    /// Host prefix and the like; kept as the model has it, for the protocol tests.
    #[serde(default)]
    pub endpoint: Option<serde_json::Value>,
    /// Parameters of the endpoint rules that this operation fixes, by name.
    #[serde(default)]
    pub static_context_params: BTreeMap<String, ContextValue>,
    /// What the service wants to know of the body's checksum.
    pub http_checksum: Option<HttpChecksum>,
}

/// The value of a parameter of the endpoint rules.
#[derive(Debug, Clone, Deserialize)]
pub struct ContextValue {
    /// A truth or a text.
    pub value: serde_json::Value,
}

/// The parameter of the endpoint rules that a member's value is for.
#[derive(Debug, Clone, Deserialize)]
pub struct ContextParam {
    /// The parameter's name, `Bucket`.
    pub name: String,
}

/// How an operation's body is to be checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpChecksum {
    /// Input member that names the algorithm.
    pub request_algorithm_member: Option<String>,
    /// Without a checksum the service refuses.
    #[serde(default)]
    pub request_checksum_required: bool,
}

impl Operation {
    /// The script's name, `create_project`.
    pub fn script_name(&self) -> String {
        names::to_script(&self.name)
    }
}

/// The `http` trait of an operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpTrait {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Template such as `/v2/domains/{domainIdentifier}`.
    pub request_uri: String,
    /// Status of success; absent means 200.
    #[serde(default)]
    pub response_code: Option<u16>,
}

impl Default for HttpTrait {
    fn default() -> Self {
        Self { method: "POST".to_owned(), request_uri: "/".to_owned(), response_code: None }
    }
}

/// How an operation pages.
#[derive(Debug, Clone, Deserialize)]
pub struct Paginator {
    /// Input member or members that carry the token.
    #[serde(deserialize_with = "one_or_many")]
    pub input_token: Vec<String>,
    /// Where the answer has the next token (a path; sometimes `A || B`).
    #[serde(deserialize_with = "one_or_many")]
    pub output_token: Vec<String>,
    /// Where the answer has the items (paths, the first is the main list).
    #[serde(deserialize_with = "one_or_many", default)]
    pub result_key: Vec<String>,
    /// Input member that limits a page.
    pub limit_key: Option<String>,
    /// Output member that says whether there is more.
    pub more_results: Option<String>,
}

/// A map without the room that is left in it where entries come one by one, in order.
fn packed<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// What kind of value a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShapeKind {
    /// Named members.
    Structure,
    /// A list of one member shape.
    List,
    /// String keys to one value shape.
    Map,
    /// Text, or one of an enumeration.
    String,
    /// One character; no listed service uses it.
    Character,
    /// 32-bit integer.
    Integer,
    /// 64-bit integer.
    Long,
    /// 32-bit float.
    Float,
    /// 64-bit float.
    Double,
    /// Arbitrary precision integer.
    BigInteger,
    /// Arbitrary precision decimal.
    BigDecimal,
    /// True or false.
    Boolean,
    /// Bytes.
    Blob,
    /// A point in time.
    Timestamp,
}

/// How a timestamp is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TimestampFormat {
    /// RFC 3339, `2026-01-02T03:04:05Z`.
    #[serde(rename = "iso8601")]
    Iso8601,
    /// Seconds since 1970 as a number.
    #[serde(rename = "unixTimestamp")]
    UnixTimestamp,
    /// RFC 7231 date, `Fri, 02 Jan 2026 03:04:05 GMT`.
    #[serde(rename = "rfc822")]
    Rfc822,
}

/// Where a member of a `rest-json` input or output travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    /// A label of the URI template.
    Uri,
    /// A query parameter, or all of them for a map.
    Querystring,
    /// One header.
    Header,
    /// Every header with the location name as its prefix.
    Headers,
    /// The HTTP status.
    StatusCode,
}

/// XML namespace of a member.
#[derive(Debug, Clone, Deserialize)]
pub struct XmlNamespace {
    /// Namespace URI.
    pub uri: String,
    /// Prefix, when it has one.
    pub prefix: Option<String>,
}

/// What makes a structure an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    /// The code on the wire when it differs from the shape name.
    pub code: Option<String>,
    /// HTTP status; absent means 400 for the caller's errors, 500 for the service's.
    pub http_status_code: Option<u16>,
    /// The caller's fault.
    #[serde(default)]
    pub sender_fault: bool,
}

/// A member of a structure, list or map.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Shape name.
    pub shape: String,
    /// Where it travels; absent means the body.
    pub location: Option<Location>,
    /// Name on the wire when it differs from the member's name.
    pub location_name: Option<String>,
    /// Name in query requests when it differs again.
    pub query_name: Option<String>,
    /// The SDK fills it with a unique token when the caller leaves it out.
    #[serde(default)]
    pub idempotency_token: bool,
    /// A list or map without a wrapping element.
    #[serde(default)]
    pub flattened: bool,
    /// Written as an XML attribute.
    #[serde(default)]
    pub xml_attribute: bool,
    /// XML namespace.
    pub xml_namespace: Option<Box<XmlNamespace>>,
    /// Overrides the shape's timestamp format.
    pub timestamp_format: Option<TimestampFormat>,
    /// The value is a JSON document inside a string.
    #[serde(default)]
    pub jsonvalue: bool,
    /// The member's body is streamed.
    #[serde(default)]
    pub streaming: bool,
    /// Part of the host name.
    #[serde(default)]
    pub host_label: bool,
    /// AWS advises against new uses.
    #[serde(default)]
    pub deprecated: bool,
    /// Absent and zero differ.
    #[serde(default, rename = "box")]
    pub boxed: bool,
    /// The endpoint rules look at this member.
    pub context_param: Option<Box<ContextParam>>,
}

/// A shape: one struct for every kind, as in the model; fields of other kinds are empty.
///
/// There are thousands of them, so what few have is behind a pointer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// Kind of value.
    #[serde(rename = "type")]
    pub kind: ShapeKind,
    /// Members of a structure, in the model's order.
    #[serde(default)]
    pub members: Members,
    /// Members that must be given.
    #[serde(default)]
    pub required: Vec<String>,
    /// Element of a list.
    pub member: Option<Box<Member>>,
    /// Key of a map.
    pub key: Option<Box<Member>>,
    /// Value of a map.
    pub value: Option<Box<Member>>,
    /// Allowed values of a string; empty means any.
    #[serde(default, rename = "enum")]
    pub enumeration: Vec<String>,
    /// Smallest length, number or count.
    pub min: Option<f64>,
    /// Largest length, number or count.
    pub max: Option<f64>,
    /// Regular expression of a string.
    pub pattern: Option<String>,
    /// Exactly one member is set.
    #[serde(default)]
    pub union: bool,
    /// Any JSON value.
    #[serde(default)]
    pub document: bool,
    /// The value is personal or secret, in the service's view.
    #[serde(default)]
    pub sensitive: bool,
    /// Member that is the whole body.
    pub payload: Option<String>,
    /// A list or map without a wrapping element.
    #[serde(default)]
    pub flattened: bool,
    /// Timestamp format.
    pub timestamp_format: Option<TimestampFormat>,
    /// Error trait.
    pub error: Option<Box<ErrorTrait>>,
    /// The structure is an error.
    #[serde(default)]
    pub exception: bool,
    /// The service failed, not the caller.
    #[serde(default)]
    pub fault: bool,
    /// Name of the body element.
    pub location_name: Option<String>,
    /// XML namespace.
    pub xml_namespace: Option<Box<XmlNamespace>>,
    /// The body is streamed.
    #[serde(default)]
    pub streaming: bool,
    /// The shape is sent as one stream of events.
    #[serde(default)]
    pub eventstream: bool,
    /// A structure that wraps its only member.
    #[serde(default)]
    pub wrapper: bool,
    #[serde(skip)]
    compiled_pattern: OnceLock<Option<Box<Regex>>>,
}

impl Shape {
    /// A member of a structure by its wire name.
    pub fn member_named(&self, name: &str) -> Option<&Member> {
        self.members.0.iter().find(|(member, _)| member == name).map(|(_, member)| member)
    }

    /// The pattern as an expression that has to match the whole text, as the services read it. Nothing
    /// when there is none, or when it uses what the engine here has not (`\p{L}`, look-around).
    pub fn pattern_regex(&self) -> Option<&Regex> {
        let compile =
            || Regex::new(&format!("^(?:{})$", self.pattern.as_ref()?)).ok().map(Box::new);
        self.compiled_pattern.get_or_init(compile).as_deref()
    }

    /// Whether `key` is no member of the structure and most likely means this one.
    pub fn misspells(&self, key: &str, meant: &str) -> bool {
        let known = || self.members.0.iter().map(|(member, _)| member.as_str());
        known().all(|member| member != key) && suggest::nearest(key, known()) == Some(meant)
    }

    /// Whether a structure's member must be given.
    pub fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|required| required == name)
    }
}

/// Members of a structure in the model's order.
#[derive(Debug, Clone, Default)]
pub struct Members(pub Vec<(String, Member)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a map of members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format!("member {name} is there twice")));
                    }
                    members.push((name, map.next_value()?));
                }
                members.shrink_to_fit();
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
