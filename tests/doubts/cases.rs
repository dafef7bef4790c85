//! The cases as data: one file of a service, functions first, then a section for each operation.
//!
//! A section begins with `// --- operation: expected`, where `expected` is what becomes of a lost
//! reply, `repeated`, `adopted` or `stuck`; `; late WORD` says what becomes of it days later, when
//! that is not the same. After the operation, `(organisation)` asks for a world in which the accounts
//! are one, and `(unseen)` says that nothing in the world shows the effect. A section's last value is
//! what the operation answered.

const FILES: [(&str, &str); 12] = [
    ("athena", include_str!("athena.rhai")),
    ("datazone", include_str!("datazone.rhai")),
    ("glue", include_str!("glue.rhai")),
    ("iam", include_str!("iam.rhai")),
    ("kms", include_str!("kms.rhai")),
    ("lakeformation", include_str!("lakeformation.rhai")),
    ("ram", include_str!("ram.rhai")),
    ("redshift", include_str!("redshift.rhai")),
    ("redshift_data", include_str!("redshift_data.rhai")),
    ("redshift_serverless", include_str!("redshift_serverless.rhai")),
    ("s3", include_str!("s3.rhai")),
    ("secretsmanager", include_str!("secretsmanager.rhai")),
];

const SECTION: &str = "// --- ";

const HEAD: &str = "runbook(#{ title: \"doubt\", accounts: #{ admin: #{ doc: \"a\" }, \
                    other: #{ doc: \"b\" } } });\n";

/// What became of a call whose reply was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Sent again, without a second effect.
    Repeated,
    /// Found in AWS.
    Adopted,
    /// A person was asked.
    Stuck,
}

impl End {
    fn of(word: &str) -> Self {
        match word {
            "repeated" => Self::Repeated,
            "adopted" => Self::Adopted,
            "stuck" => Self::Stuck,
            other => panic!("`{other}` is no end of a case"),
        }
    }
}

/// One operation, called once in earnest.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    /// What becomes of a lost reply, at once or after a crash.
    pub(crate) soon: End,
    /// The same days later.
    pub(crate) late: End,
    /// The world's accounts are one organisation.
    pub(crate) organisation: bool,
    /// Nothing in the world shows the effect.
    pub(crate) unseen: bool,
    pub(crate) script: String,
}

impl Case {
    /// `service.operation`.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }
}

/// The cases of a service, in the order of its file.
pub(crate) fn of(service: &str) -> Vec<Case> {
    let (service, text) = FILES.into_iter().find(|(name, _)| *name == service).unwrap();
    let mut sections = text.split(SECTION);
    let functions = sections.next().unwrap();
    sections.map(|section| case(service, functions, section)).collect()
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    FILES.into_iter().flat_map(|(service, _)| of(service)).collect()
}

fn case(service: &'static str, functions: &str, section: &'static str) -> Case {
    let (title, body) = section.split_once('\n').unwrap();
    let (operation, ends) = title.split_once(':').unwrap_or((title, " stuck"));
    let (soon, late) = ends.split_once("; late ").unwrap_or((ends, ends));
    let script =
        format!("{HEAD}{functions}\nlet answer = {{\n{body}\n}};\noutput(\"answer\", answer);\n");
    let (operation, mark) = operation.trim().split_once(' ').unwrap_or((operation.trim(), ""));
    Case {
        service,
        operation,
        organisation: mark.contains("organisation"),
        unseen: mark.contains("unseen"),
        soon: End::of(soon.trim()),
        late: End::of(late.trim()),
        script,
    }
}
