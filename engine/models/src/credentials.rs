//! Which members of inputs and outputs hold secrets, by operation.
//!
//! The models mark members as sensitive when they are personal too (names, descriptions), and leave
//! some real credentials unmarked (`SessionToken`), so the mark alone decides nothing. A reviewed list
//! of member names does; a test holds it against everything the models mark. What happens to such a
//! member (a handle in place of the value) is up to the callers.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::{Model, Operation, ShapeKind, further_services, service, services};

/// Member names whose text or bytes are a secret wherever they appear, in lower case.
const SECRET_NAMES: &[&str] = &[
    "accesstoken",
    "addprivatekey",
    "adminuserpassword",
    "apikeyvalue",
    "authorizationcode",
    "authtoken",
    "base32stringseed",
    "clientsecret",
    "copysourcessecustomerkey",
    "customauthenticationcredentials",
    "dbpassword",
    "hsmpartitionpassword",
    "jwttoken",
    "keystorepassword",
    "masteruserpassword",
    "newpassword",
    "oldpassword",
    "onetimepassword",
    "password",
    "plaintext",
    "privatekey",
    "privatekeyplaintext",
    "qrcodepng",
    "randompassword",
    "rawsecretaccesskey",
    "refreshtoken",
    "rotationtoken",
    "samlassertion",
    "secretaccesskey",
    "secretbinary",
    "secretstring",
    "servicecredentialsecret",
    "servicepassword",
    "sessiontoken",
    "sharedsecret",
    "ssecustomerkey",
    "tokencode",
    "tradeintoken",
    "usermanagedclientapplicationclientsecret",
    "webidentitytoken",
];

/// Member names that are a secret only where the model calls them sensitive, in lower case.
const SECRET_WHERE_SENSITIVE: &[&str] = &["token"];

/// Members that are a secret although nothing marks them and their name alone does not say so: the
/// structure and the member.
const SECRET_IN: &[(&str, &str)] =
    &[("GetIdentityCenterAuthTokenResponse", "token"), ("ManagedEndpointCredentials", "token")];

#[derive(Default)]
struct Secrets {
    input: Vec<String>,
    output: Vec<String>,
}

/// Paths of the members of an operation's output that are credentials, such as
/// `Credentials/SecretAccessKey`; `*` stands for every element of a list or value of a map.
/// `service` and `operation` are the script's names. Empty for most operations.
pub fn credential_members(service: &str, operation: &str) -> &'static [String] {
    secrets(service, operation).map_or(&[], |secrets| &secrets.output)
}

/// Paths of the members of an operation's input that carry a secret, such as `SecretString`; written
/// as in [`credential_members`].
pub fn secret_input_members(service: &str, operation: &str) -> &'static [String] {
    secrets(service, operation).map_or(&[], |secrets| &secrets.input)
}

fn secrets(service_name: &str, operation: &str) -> Option<&'static Secrets> {
    type Table = BTreeMap<String, Secrets>;
    static TABLES: OnceLock<BTreeMap<&str, OnceLock<Table>>> = OnceLock::new();
    let tables = TABLES.get_or_init(|| {
        let names = services().iter().chain(further_services());
        names.map(|name| (*name, OnceLock::new())).collect()
    });
    let table = tables.get(service_name)?.get_or_init(|| {
        let Some(model) = service(service_name) else { return Table::new() };
        let operations = model.operations.values();
        operations.map(|operation| (operation.script_name(), of(model, operation))).collect()
    });
    table.get(operation)
}

fn of(model: &Model, operation: &Operation) -> Secrets {
    let mut secrets = Secrets::default();
    if let Some(input) = &operation.input {
        collect(&mut Walk::new(model, &mut secrets.input), &input.shape, false, false);
    }
    if let Some(output) = &operation.output {
        collect(&mut Walk::new(model, &mut secrets.output), &output.shape, false, false);
    }
    secrets
}

struct Walk<'a> {
    model: &'a Model,
    path: Vec<&'a str>,
    /// Shapes on the way here: a shape inside itself adds no new member names.
    open: Vec<&'a str>,
    found: &'a mut Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(model: &'a Model, found: &'a mut Vec<String>) -> Self {
        Self { model, path: Vec::new(), open: Vec::new(), found }
    }
}

fn collect<'a>(walk: &mut Walk<'a>, name: &'a str, secret: bool, sensitive: bool) {
    let shape = walk.model.shape(name);
    let sensitive = sensitive || shape.sensitive;
    match shape.kind {
        ShapeKind::String | ShapeKind::Blob if secret => walk.found.push(walk.path.join("/")),
        ShapeKind::Structure | ShapeKind::List | ShapeKind::Map if walk.open.contains(&name) => {}
        ShapeKind::Structure => {
            walk.open.push(name);
            for (member_name, member) in &shape.members.0 {
                let lower = member_name.to_lowercase();
                let sensitive_here = sensitive || walk.model.shape(&member.shape).sensitive;
                let named = SECRET_NAMES.contains(&lower.as_str())
                    || SECRET_IN.contains(&(name, member_name))
                    || (sensitive_here && SECRET_WHERE_SENSITIVE.contains(&lower.as_str()));
                walk.path.push(member_name);
                collect(walk, &member.shape, secret || named, sensitive);
                walk.path.pop();
            }
            walk.open.pop();
        }
        ShapeKind::List | ShapeKind::Map => {
            walk.open.push(name);
            for member in shape.member.iter().chain(&shape.value) {
                walk.path.push("*");
                collect(walk, &member.shape, secret, sensitive);
                walk.path.pop();
            }
            walk.open.pop();
        }
        _ => {}
    }
}
