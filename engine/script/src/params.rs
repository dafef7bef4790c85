//! Parameters of a run: what was given, against what the runbook declares.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::secret::Origin;
use piton_models::suggest;
use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::declaration::{Declaration, ParamSpec, ParamType};

/// A value as somebody gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// From the command line: a text that the parameter's type says how to read.
    Text(String),
    /// From a file.
    Value(Value),
}

/// Where the value of a secret parameter is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `env:NAME`.
    Env(String),
    /// `file:PATH`.
    File(String),
    /// `secretsmanager:ARN`.
    SecretsManager(String),
    /// The value itself: from a file, in the sandbox.
    Literal(String),
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{path}"),
            Self::SecretsManager(arn) => write!(formatter, "secretsmanager:{arn}"),
            Self::Literal(_) => formatter.write_str(piton_core::secret::MASK),
        }
    }
}

/// Parameters that a run can start with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bound {
    /// Every declared parameter; secret ones are handles, absent optional ones null.
    pub values: Map<String, Value>,
    /// Secret parameters with where their values are.
    pub secrets: Vec<(String, SecretSource)>,
    /// Secret parameters that must be asked for.
    pub missing_secrets: Vec<String>,
}

/// Binds what was given, in order: a later value of a name replaces an earlier one. All problems
/// are found in one pass.
pub fn bind(
    declaration: &Declaration,
    given: &[(String, Given)],
    sandbox: bool,
) -> Result<Bound, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for (name, _) in given {
        if declaration.param(name).is_none() {
            problems.push(unknown(declaration, name));
        }
    }
    let mut bound = Bound::default();
    for spec in &declaration.params {
        let given = given.iter().rev().find(|(name, _)| *name == spec.name).map(|(_, given)| given);
        let result = match spec.kind {
            ParamType::Secret => bind_secret(spec, given, sandbox, &mut bound),
            _ => bind_plain(spec, given, sandbox).map(|value| {
                bound.values.insert(spec.name.clone(), value);
            }),
        };
        problems.extend(result.err());
    }
    if problems.is_empty() { Ok(bound) } else { Err(problems) }
}

fn unknown(declaration: &Declaration, name: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::UnknownParameter, format!("the runbook has no parameter `{name}`"));
    let known = || declaration.params.iter().map(|param| param.name.as_str());
    match suggest::nearest(name, known()) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None if declaration.params.is_empty() => diagnostic.hint("it takes no parameters"),
        None => diagnostic.hint(format!("it has {}", known().collect::<Vec<_>>().join(", "))),
    }
}

/// A parameter that nobody gave.
pub(crate) fn not_given(declaration: &Declaration, name: &str) -> Diagnostic {
    match declaration.param(name) {
        Some(spec) => missing(spec),
        None => unknown(declaration, name),
    }
}

/// What is wrong with the name of a parameter.
pub(crate) fn unknown_name(declaration: &Declaration, name: &str) -> Option<Diagnostic> {
    declaration.param(name).is_none().then(|| unknown(declaration, name))
}

fn bad(spec: &ParamSpec, problem: &str) -> Diagnostic {
    let message = format!("the parameter `{}` {problem}", spec.name);
    let diagnostic = Diagnostic::error(Code::BadParameter, message);
    if spec.doc.is_empty() { diagnostic } else { diagnostic.hint(spec.doc.clone()) }
}

fn preset(spec: &ParamSpec, sandbox: bool) -> Option<&Value> {
    spec.sandbox_preset.as_ref().filter(|_| sandbox).or(spec.preset.as_ref())
}

fn missing(spec: &ParamSpec) -> Diagnostic {
    let name = &spec.name;
    let kind = spec.kind.as_str();
    let message = format!("the parameter `{name}` ({kind}) must be given");
    let diagnostic =
        Diagnostic::error(Code::MissingParameter, message).hint(format!("-p {name}=..."));
    if spec.doc.is_empty() { diagnostic } else { diagnostic.hint(spec.doc.clone()) }
}

fn bind_plain(spec: &ParamSpec, given: Option<&Given>, sandbox: bool) -> Result<Value, Diagnostic> {
    let value = match given {
        None => match preset(spec, sandbox) {
            Some(preset) => return Ok(preset.clone()),
            None if spec.optional => return Ok(Value::Null),
            None => return Err(missing(spec)),
        },
        Some(Given::Text(text)) => {
            read_text(spec.kind, text).map_err(|problem| bad(spec, &problem))?
        }
        Some(Given::Value(Value::Null)) if spec.optional => return Ok(Value::Null),
        Some(Given::Value(value)) => value.clone(),
    };
    check(spec, &value).map_err(|problem| bad(spec, &problem))?;
    Ok(match value {
        // A whole number is a number.
        Value::Number(number) if spec.kind == ParamType::Float => {
            number.as_f64().map_or(Value::Null, Value::from)
        }
        value => value,
    })
}

/// A text from the command line as a value of a type.
fn read_text(kind: ParamType, text: &str) -> Result<Value, String> {
    match kind {
        ParamType::Int => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| format!("is a whole number, found `{text}`")),
        ParamType::Float => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from)
            .ok_or_else(|| format!("is a number, found `{text}`")),
        ParamType::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("is true or false, found `{text}`")),
        },
        ParamType::List if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).map_err(|problem| format!("is no JSON list: {problem}"))
        }
        ParamType::List => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(Value::from)
            .collect()),
        ParamType::Map => {
            serde_json::from_str(text).map_err(|problem| format!("is no JSON object: {problem}"))
        }
        ParamType::String
        | ParamType::Enum
        | ParamType::AccountId
        | ParamType::Region
        | ParamType::Arn
        | ParamType::Secret => Ok(Value::String(text.to_owned())),
    }
}

/// Whether a value fits a parameter; otherwise what it should be, to be said after the name.
pub(crate) fn check(spec: &ParamSpec, value: &Value) -> Result<(), String> {
    check_type(spec.kind, value)?;
    if !spec.choices.is_empty() && !spec.choices.contains(value) {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let near = value
            .as_str()
            .and_then(|text| suggest::nearest(text, spec.choices.iter().filter_map(Value::as_str)));
        let choices: Vec<_> = spec.choices.iter().map(shown).collect();
        let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let (choices, found) = (choices.join(", "), shown(value));
        return Err(format!("is one of {choices}, found `{found}`{near}"));
    }
    if let (Some(pattern), Some(text)) = (&spec.pattern, value.as_str()) {
        let matches = whole(pattern).is_ok_and(|regex| regex.is_match(text));
        if !matches {
            return Err(format!("does not match {pattern}: `{text}`"));
        }
    }
    check_size(spec, value)
}

fn check_type(kind: ParamType, value: &Value) -> Result<(), String> {
    let shape = |pattern: &str, form: &str| match value.as_str() {
        Some(text) if whole(pattern).is_ok_and(|regex| regex.is_match(text)) => Ok(()),
        _ => Err(format!("is {form}, found {}", found(value))),
    };
    let fits = |fits: bool, form: &str| match fits {
        true => Ok(()),
        false => Err(format!("is {form}, found {}", found(value))),
    };
    match kind {
        ParamType::String | ParamType::Secret => fits(value.is_string(), "a text"),
        ParamType::Enum => Ok(()),
        ParamType::Int => fits(value.is_i64(), "a whole number"),
        ParamType::Float => fits(value.is_number(), "a number"),
        ParamType::Bool => fits(value.is_boolean(), "true or false"),
        ParamType::List => fits(value.is_array(), "a list"),
        ParamType::Map => fits(value.is_object(), "a map"),
        ParamType::AccountId => shape("[0-9]{12}", "an account id of 12 digits, as text"),
        ParamType::Region => shape("[a-z]{2}(-[a-z]+)+-[0-9]+", "a region such as eu-west-1"),
        ParamType::Arn => shape(
            "arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:.+",
            "an ARN (arn:aws:service:region:account:resource)",
        ),
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

fn check_size(spec: &ParamSpec, value: &Value) -> Result<(), String> {
    #[expect(clippy::cast_precision_loss, reason = "no value in memory is 2^53 long")]
    let (size, unit) = match value {
        Value::Number(number) => (number.as_f64().unwrap_or(0.0), ""),
        Value::String(text) => (text.chars().count() as f64, " characters"),
        Value::Array(items) => (items.len() as f64, " elements"),
        Value::Object(members) => (members.len() as f64, " members"),
        Value::Null | Value::Bool(_) => return Ok(()),
    };
    match (spec.min, spec.max) {
        (Some(min), _) if size < min => Err(format!("is at least {min}{unit}, found {size}")),
        (_, Some(max)) if size > max => Err(format!("is at most {max}{unit}, found {size}")),
        _ => Ok(()),
    }
}

/// A regular expression that has to match a whole text.
pub(crate) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

fn bind_secret(
    spec: &ParamSpec,
    given: Option<&Given>,
    sandbox: bool,
    bound: &mut Bound,
) -> Result<(), Diagnostic> {
    let name = &spec.name;
    let source = match given {
        Some(Given::Text(text)) => Some(reference(text).ok_or_else(|| {
            bad(
                spec,
                "is a secret and cannot be written on a command line, where others can read it",
            )
            .hint(format!(
                "-p {name}=env:NAME, -p {name}=file:PATH or -p {name}=secretsmanager:ARN"
            ))
            .hint("leave it out to be asked for it")
        })?),
        Some(Given::Value(Value::String(text))) => match reference(text) {
            Some(source) => Some(source),
            None if sandbox => Some(SecretSource::Literal(text.clone())),
            None => {
                return Err(bad(spec, "is a secret: only the sandbox takes its value from a file")
                    .hint("write env:NAME, file:PATH or secretsmanager:ARN"));
            }
        },
        Some(Given::Value(Value::Null)) | None => {
            sandbox.then_some(spec.sandbox_preset.as_ref()).flatten().and_then(Value::as_str).map(
                |text| reference(text).unwrap_or_else(|| SecretSource::Literal(text.to_owned())),
            )
        }
        Some(Given::Value(_)) => return Err(bad(spec, "is a text that says where the secret is")),
    };
    let handle = match source {
        Some(source) => {
            bound.secrets.push((name.clone(), source));
            true
        }
        None if spec.optional => false,
        None => {
            bound.missing_secrets.push(name.clone());
            true
        }
    };
    let value = if handle { Origin::Param { name: name.clone() }.handle() } else { Value::Null };
    bound.values.insert(name.clone(), value);
    Ok(())
}

/// What a text says about where a secret is: `env:NAME`, `file:PATH`, `secretsmanager:ARN`.
pub fn reference(text: &str) -> Option<SecretSource> {
    let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty())?;
    match kind {
        "env" => Some(SecretSource::Env(rest.to_owned())),
        "file" => Some(SecretSource::File(rest.to_owned())),
        "secretsmanager" => Some(SecretSource::SecretsManager(rest.to_owned())),
        _ => None,
    }
}
