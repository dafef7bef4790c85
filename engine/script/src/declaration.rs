//! The literal `runbook(#{...})` at the beginning of a script, read without running it.

use std::collections::BTreeMap;

use piton_core::diagnostic::{Code, Diagnostic, Place};
use piton_models::suggest;
use rhai::{AST, Expr, Position, Stmt};
use serde_json::Value;

use crate::literal::{Kind, Literal, NotLiteral};
use crate::source::Source;
use crate::words::FunctionOption;
use crate::{engine, params, program};

/// Members of the declaration, of an account in it, and of a parameter.
const MEMBERS: [&str; 4] = ["title", "summary", "accounts", "params"];
const ACCOUNT_MEMBERS: [&str; 3] = ["doc", "many", "created_here"];
const PARAM_MEMBERS: [&str; 10] = [
    "type",
    "preset",
    "sandbox_preset",
    "doc",
    "pattern",
    "choices",
    "enum",
    "optional",
    "min",
    "max",
];
/// Names of the types of parameters.
const TYPES: [&str; ParamType::ALL.len()] = {
    let mut names = [""; ParamType::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ParamType::ALL[index].as_str();
        index += 1;
    }
    names
};

/// The members that a part of the declaration takes; `nested` is the way there.
pub(crate) fn members(nested: &[&str]) -> Vec<FunctionOption> {
    let (known, needed): (&[&'static str], &[&str]) = match nested {
        [] => (&MEMBERS, &["title"]),
        ["accounts", _] => (&ACCOUNT_MEMBERS, &[]),
        ["params", _] => (&PARAM_MEMBERS, &["type"]),
        _ => return Vec::new(),
    };
    let member = |name: &&'static str| FunctionOption {
        name,
        required: needed.contains(name),
        choices: if *name == "type" { &TYPES } else { &[] },
    };
    known.iter().map(member).collect()
}

/// What a runbook says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declaration {
    /// One line.
    pub title: String,
    /// What it does, in a few sentences.
    pub summary: String,
    /// Account aliases, in the order of the script.
    pub accounts: Vec<AccountSpec>,
    /// Parameters, in the order of the script.
    pub params: Vec<ParamSpec>,
}

impl Declaration {
    /// A parameter by name.
    pub fn param(&self, name: &str) -> Option<&ParamSpec> {
        self.params.iter().find(|param| param.name == name)
    }

    /// What is wrong with the use of an account alias: nothing, when it is declared and the call says
    /// which account is meant exactly where the alias stands for several.
    pub(crate) fn misused(&self, alias: &str, of_account: bool) -> Option<Diagnostic> {
        let declared = self.accounts.iter().find(|account| account.alias == alias);
        let Some(declared) = declared else { return Some(self.undeclared(alias)) };
        let wrong = |message: String, hint: String| {
            Some(Diagnostic::error(Code::BadArgument, message).hint(hint))
        };
        match (declared.many, of_account) {
            (true, false) => wrong(
                format!("`{alias}` stands for several accounts"),
                format!("say which: aws(\"{alias}\", account_id)"),
            ),
            (false, true) => wrong(
                format!("`{alias}` stands for one account"),
                format!("declare `{alias}: #{{ many: true }}`, or leave out the account id"),
            ),
            (true, true) | (false, false) => None,
        }
    }

    /// What is wrong with the accounts that a runbook gets which this one calls: `given` has the
    /// aliases of this one, by those of the other that are called otherwise.
    pub(crate) fn cannot_lend(
        &self,
        called: &Self,
        given: &BTreeMap<String, String>,
    ) -> Option<Diagnostic> {
        let has = |alias: &&String| called.accounts.iter().any(|known| known.alias == **alias);
        if let Some(unknown) = given.keys().find(|alias| !has(alias)) {
            return Some(called.undeclared(unknown));
        }
        called.accounts.iter().find_map(|wanted| {
            let own = given.get(&wanted.alias).unwrap_or(&wanted.alias);
            let (alias, id) = own.split_once('/').map_or((own.as_str(), None), |(alias, id)| {
                (alias, Some(id))
            });
            let is_declared = self.accounts.iter().any(|account| account.alias == alias);
            if !is_declared && !given.contains_key(&wanted.alias) {
                let message = format!(
                    "the called runbook needs the account `{alias}`, which this one does not declare"
                );
                let hint = format!("say which it is: #{{ accounts: #{{ {alias}: \"...\" }} }}");
                return Some(Diagnostic::error(Code::UnknownAlias, message).hint(hint));
            }
            // An alias of many passes on whole, to an alias of many.
            self.misused(alias, id.is_some() || wanted.many)
        })
    }

    fn undeclared(&self, alias: &str) -> Diagnostic {
        let known = || self.accounts.iter().map(|account| account.alias.as_str());
        let message = format!("the runbook declares no account `{alias}`");
        let hint = match suggest::nearest(alias, known()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if self.accounts.is_empty() => {
                format!("add `accounts: #{{ {alias}: #{{ doc: \"...\" }} }}` to the declaration")
            }
            None => format!("declared: {}", known().collect::<Vec<_>>().join(", ")),
        };
        Diagnostic::error(Code::UnknownAlias, message).hint(hint)
    }
}

/// An account alias.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSpec {
    /// The name that `aws("...")` takes.
    pub alias: String,
    /// Who this is.
    pub doc: String,
    /// It stands for several accounts: the script says which.
    pub many: bool,
    /// The run itself makes it: it is bound at its first use.
    pub created_here: bool,
}

/// Types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Text.
    String,
    /// Whole number.
    Int,
    /// Number.
    Float,
    /// `true` or `false`.
    Bool,
    /// List of plain data.
    List,
    /// Map of plain data.
    Map,
    /// One of the declared choices.
    Enum,
    /// Twelve digits.
    AccountId,
    /// `eu-west-1`.
    Region,
    /// `arn:aws:...`.
    Arn,
    /// A reference to a secret.
    Secret,
}

impl ParamType {
    /// Every type.
    pub const ALL: [Self; 11] = [
        Self::String,
        Self::Int,
        Self::Float,
        Self::Bool,
        Self::List,
        Self::Map,
        Self::Enum,
        Self::AccountId,
        Self::Region,
        Self::Arn,
        Self::Secret,
    ];

    /// The name in declarations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Map => "map",
            Self::Enum => "enum",
            Self::AccountId => "account_id",
            Self::Region => "region",
            Self::Arn => "arn",
            Self::Secret => "secret",
        }
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// The name that `params.` takes.
    pub name: String,
    /// Type.
    pub kind: ParamType,
    /// The value when none is given.
    pub preset: Option<Value>,
    /// The value when none is given in the sandbox.
    pub sandbox_preset: Option<Value>,
    /// What it is for.
    pub doc: String,
    /// Regular expression that a text must match as a whole.
    pub pattern: Option<String>,
    /// Allowed values; empty means any.
    pub choices: Vec<Value>,
    /// It may be left out without a preset; the script then reads `()`.
    pub optional: bool,
    /// Smallest number, length or count.
    pub min: Option<f64>,
    /// Largest number, length or count.
    pub max: Option<f64>,
    /// Where it is declared.
    pub place: Option<Place>,
}

impl ParamSpec {
    /// Somebody has to give it.
    pub fn is_required(&self, sandbox: bool) -> bool {
        let preset = self.preset.is_some() || (sandbox && self.sandbox_preset.is_some());
        !self.optional && !preset
    }
}

/// Reads the declaration of a runbook's script.
pub(crate) fn read(ast: &AST, source: &Source) -> Result<Declaration, Vec<Diagnostic>> {
    let mut reader = Reader { source, problems: Vec::new() };
    let declaration = reader.declaration(ast);
    if reader.problems.is_empty() { Ok(declaration) } else { Err(reader.problems) }
}

/// What can be read of the declaration in a script that may not be complete: as much of it as is
/// right. Nothing when the text does not parse.
pub fn sketch(path: &str, text: &str) -> Option<Declaration> {
    program::on_deep_stack(|| {
        let ast = engine::engine().ok()?.compile(text).ok()?;
        let source = Source::new(path, text);
        let mut reader = Reader { source: &source, problems: Vec::new() };
        Some(reader.declaration(&ast))
    })
}

struct Reader<'a> {
    source: &'a Source,
    problems: Vec<Diagnostic>,
}

/// The members of a literal map, taken one by one.
type Members = Vec<(String, Position, Literal)>;

impl Reader<'_> {
    fn report(&mut self, position: Position, message: impl Into<String>, hint: impl Into<String>) {
        let diagnostic = Diagnostic::error(Code::Declaration, message).hint(hint);
        self.problems.push(diagnostic.at(self.source.place(position)));
    }

    fn declaration(&mut self, ast: &AST) -> Declaration {
        const FORM: &str =
            "runbook(#{ title: \"...\", summary: \"...\", accounts: #{}, params: #{} });";
        let calls: Vec<_> = ast.statements().iter().filter_map(declaring).collect();
        let Some((argument, position)) = calls.first().copied() else {
            let start = Position::new(1, 1);
            self.report(
                start,
                "the script does not declare its runbook",
                format!("begin with {FORM}"),
            );
            return Declaration::default();
        };
        if let Some((_, second)) = calls.get(1) {
            self.report(*second, "the runbook is declared twice", "keep one declaration");
        }
        let literal = match argument.map(Literal::read) {
            Some(Ok(literal)) => literal,
            Some(Err(NotLiteral(position))) => {
                let message = "the declaration is read without running the script: only literals may be in it";
                self.report(position, message, "write the value out");
                return Declaration::default();
            }
            None => {
                self.report(position, "`runbook` takes one map", FORM);
                return Declaration::default();
            }
        };
        let Some(mut members) = self.members(literal, "the declaration", &MEMBERS) else {
            return Declaration::default();
        };
        let title = self.text(&mut members, "title");
        if title.is_none() {
            self.report(position, "the declaration needs a `title`", FORM);
        }
        Declaration {
            title: title.unwrap_or_default(),
            summary: self.text(&mut members, "summary").unwrap_or_default(),
            accounts: self.accounts(take(&mut members, "accounts")),
            params: self.params(take(&mut members, "params")),
        }
    }

    /// The members of a map with nothing but known names.
    fn members(&mut self, literal: Literal, owner: &str, known: &[&str]) -> Option<Members> {
        let Kind::Map(members) = literal.kind else {
            self.report(literal.position, format!("{owner} is a map"), "#{ name: value }");
            return None;
        };
        for (name, position, _) in &members {
            if !known.contains(&name.as_str()) {
                let hint = suggest::nearest(name, known.iter().copied())
                    .map_or_else(|| known.join(", "), |near| format!("did you mean `{near}`?"));
                self.report(*position, format!("{owner} has no member `{name}`"), hint);
            }
        }
        Some(members)
    }

    fn text(&mut self, members: &mut Members, name: &str) -> Option<String> {
        let literal = take(members, name)?;
        match literal.kind {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => {
                self.report(
                    literal.position,
                    format!("`{name}` is a text"),
                    format!("{name}: \"...\""),
                );
                None
            }
        }
    }

    fn boolean(&mut self, members: &mut Members, name: &str) -> bool {
        match take(members, name) {
            None => false,
            Some(Literal { kind: Kind::Scalar(Value::Bool(value)), .. }) => value,
            Some(other) => {
                let hint = format!("{name}: true");
                self.report(other.position, format!("`{name}` is true or false"), hint);
                false
            }
        }
    }

    fn number(&mut self, members: &mut Members, name: &str) -> Option<f64> {
        let literal = take(members, name)?;
        let number = match &literal.kind {
            Kind::Scalar(value) => value.as_f64(),
            _ => None,
        };
        if number.is_none() {
            self.report(literal.position, format!("`{name}` is a number"), format!("{name}: 1"));
        }
        number
    }

    fn accounts(&mut self, literal: Option<Literal>) -> Vec<AccountSpec> {
        let mut accounts = Vec::new();
        for (alias, position, literal) in self.entries(literal, "accounts") {
            self.check_name(&alias, position, "an account alias");
            let owner = format!("the account `{alias}`");
            let Some(mut members) = self.members(literal, &owner, &ACCOUNT_MEMBERS) else {
                continue;
            };
            accounts.push(AccountSpec {
                doc: self.text(&mut members, "doc").unwrap_or_default(),
                many: self.boolean(&mut members, "many"),
                created_here: self.boolean(&mut members, "created_here"),
                alias,
            });
        }
        accounts
    }

    fn entries(&mut self, literal: Option<Literal>, what: &str) -> Members {
        match literal {
            None => Vec::new(),
            Some(Literal { kind: Kind::Map(members), .. }) => members,
            Some(other) => {
                self.report(
                    other.position,
                    format!("`{what}` is a map"),
                    "#{ name: #{ doc: \"...\" } }",
                );
                Vec::new()
            }
        }
    }

    fn check_name(&mut self, name: &str, position: Position, what: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let message = format!("`{name}` cannot be {what}");
            self.report(position, message, "use letters, digits, `_` and `-`");
        }
    }

    fn params(&mut self, literal: Option<Literal>) -> Vec<ParamSpec> {
        let entries = self.entries(literal, "params");
        entries
            .into_iter()
            .filter_map(|(name, at, literal)| self.param(name, at, literal))
            .collect()
    }

    fn param(&mut self, name: String, at: Position, literal: Literal) -> Option<ParamSpec> {
        self.check_name(&name, at, "a parameter");
        let mut members =
            self.members(literal, &format!("the parameter `{name}`"), &PARAM_MEMBERS)?;
        let preset = take(&mut members, "preset");
        let sandbox_preset = take(&mut members, "sandbox_preset");
        let spec = ParamSpec {
            kind: self.kind(&mut members, &name, at)?,
            preset: preset.as_ref().map(Literal::value),
            sandbox_preset: sandbox_preset.as_ref().map(Literal::value),
            doc: self.text(&mut members, "doc").unwrap_or_default(),
            pattern: self.pattern(&mut members),
            choices: self.choices(&mut members),
            optional: self.boolean(&mut members, "optional"),
            min: self.number(&mut members, "min"),
            max: self.number(&mut members, "max"),
            place: self.source.place(at),
            name,
        };
        self.check_presets(&spec, at, preset.as_ref(), sandbox_preset.as_ref());
        Some(spec)
    }

    fn kind(&mut self, members: &mut Members, name: &str, at: Position) -> Option<ParamType> {
        let names = || ParamType::ALL.into_iter().map(ParamType::as_str);
        let position = members.iter().find(|(known, ..)| known == "type").map(|(.., l)| l.position);
        let Some(wanted) = self.text(members, "type") else {
            if position.is_none() {
                let message = format!("the parameter `{name}` needs a `type`");
                self.report(at, message, names().collect::<Vec<_>>().join(", "));
            }
            return None;
        };
        let found = ParamType::ALL.into_iter().find(|kind| kind.as_str() == wanted);
        if found.is_none() {
            let hint = suggest::nearest(&wanted, names()).map_or_else(
                || format!("types: {}", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            self.report(position.unwrap_or(at), format!("there is no type `{wanted}`"), hint);
        }
        found
    }

    fn pattern(&mut self, members: &mut Members) -> Option<String> {
        let position =
            members.iter().find(|(known, ..)| known == "pattern").map(|(.., l)| l.position)?;
        let pattern = self.text(members, "pattern")?;
        match params::whole(&pattern) {
            Ok(_) => Some(pattern),
            Err(problem) => {
                self.report(
                    position,
                    format!("the pattern cannot be read: {problem}"),
                    "write a regular expression",
                );
                None
            }
        }
    }

    fn choices(&mut self, members: &mut Members) -> Vec<Value> {
        match take(members, "choices").or_else(|| take(members, "enum")) {
            None => Vec::new(),
            Some(Literal { kind: Kind::List(items), .. }) => {
                items.iter().map(Literal::value).collect()
            }
            Some(other) => {
                self.report(other.position, "`choices` is a list", "choices: [\"a\", \"b\"]");
                Vec::new()
            }
        }
    }

    fn check_presets(
        &mut self,
        spec: &ParamSpec,
        at: Position,
        preset: Option<&Literal>,
        sandbox_preset: Option<&Literal>,
    ) {
        let name = &spec.name;
        if spec.kind == ParamType::Enum && spec.choices.is_empty() {
            let message = format!("the parameter `{name}` needs `choices`");
            self.report(at, message, "choices: [\"a\", \"b\"]");
            return;
        }
        if spec.kind == ParamType::Secret {
            if let Some(literal) = preset {
                let message =
                    format!("the secret `{name}` cannot have a preset: it would be in the script");
                self.report(literal.position, message, "use `sandbox_preset` for rehearsals");
            }
            return;
        }
        for literal in [preset, sandbox_preset].into_iter().flatten() {
            if let Err(problem) = params::check(spec, &literal.value()) {
                let message = format!("the preset of `{name}` {problem}");
                self.report(literal.position, message, "make both agree");
            }
        }
    }
}

fn take(members: &mut Members, name: &str) -> Option<Literal> {
    let at = members.iter().position(|(known, ..)| known == name)?;
    Some(members.remove(at).2)
}

/// The argument of a statement that declares the runbook.
fn declaring(statement: &Stmt) -> Option<(Option<&Expr>, Position)> {
    let (call, position) = match statement {
        Stmt::FnCall(call, position) => (call, position),
        Stmt::Expr(expression) => match &**expression {
            Expr::FnCall(call, position) => (call, position),
            _ => return None,
        },
        _ => return None,
    };
    let argument = match &*call.args {
        [argument] => Some(argument),
        _ => None,
    };
    (call.name == "runbook" && !call.is_qualified()).then_some((argument, *position))
}
