//! Statements as the world keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::people::{Principal, PrincipalKind};
use crate::sql::ResultSet;
use crate::world::{Scope, World, parse_timestamp};

/// Statements are not part of what `sandbox dump` shows of live resources: those that ended are in
/// the history.
const KIND: &str = "_athena/execution";
const RESULT: &str = "_athena/result";

/// When a statement leaves the queue, and when it is done, counted from its start.
const QUEUED: Duration = Duration::milliseconds(120);
pub(super) const DONE: Duration = Duration::milliseconds(1_800);

/// How long a statement can be asked about.
const KEPT: Duration = Duration::days(45);

/// Whoever started a statement: it runs as them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Caller {
    account: String,
    arn: String,
    identity_arn: String,
    kind: PrincipalKind,
    user_id: String,
    name: String,
    session: Option<crate::people::Session>,
}

impl Caller {
    pub(super) fn of(principal: &Principal) -> Self {
        Self {
            account: principal.account.clone(),
            arn: principal.arn.clone(),
            identity_arn: principal.identity_arn.clone(),
            kind: principal.kind,
            user_id: principal.user_id.clone(),
            name: principal.name.clone(),
            session: principal.session.clone(),
        }
    }

    pub(super) fn principal(&self) -> Principal {
        Principal {
            account: self.account.clone(),
            arn: self.arn.clone(),
            identity_arn: self.identity_arn.clone(),
            kind: self.kind,
            user_id: self.user_id.clone(),
            name: self.name.clone(),
            alias: None,
            session: self.session.clone(),
        }
    }
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Ending {
    Succeeded,
    Failed,
    Cancelled,
}

impl Ending {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// One started statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Execution {
    pub(super) id: String,
    /// Its start's place among all of the world.
    pub(super) number: u64,
    pub(super) query: String,
    /// Values of the question marks.
    pub(super) parameters: Vec<String>,
    /// `DDL`, `DML` or `UTILITY`.
    pub(super) kind: String,
    /// Athena's finer word.
    pub(super) word: String,
    pub(super) workgroup: String,
    /// The workgroup says where results go, and where new tables are.
    pub(super) enforced: bool,
    /// In lower case.
    pub(super) database: String,
    /// `QueryExecutionContext` as it was given.
    pub(super) context: Value,
    /// Where results go, with a slash at the end.
    pub(super) folder: String,
    /// The result's own URI.
    pub(super) output: String,
    pub(super) caller: Caller,
    /// RFC 3339.
    pub(super) submitted: String,
    /// RFC 3339.
    pub(super) completed: Option<String>,
    pub(super) ending: Option<Ending>,
    /// Why it failed.
    pub(super) reason: Option<String>,
    /// Rows that it wrote.
    pub(super) written: usize,
    /// Bytes that it read.
    pub(super) scanned: usize,
    /// The list of the files that it wrote.
    pub(super) manifest: Option<String>,
}

impl Execution {
    pub(super) fn state(&self, now: OffsetDateTime) -> &'static str {
        match self.ending {
            Some(ending) => ending.word(),
            None if now < self.moment() + QUEUED => "QUEUED",
            None => "RUNNING",
        }
    }

    /// When it was started.
    pub(super) fn moment(&self) -> OffsetDateTime {
        parse_timestamp(&self.submitted).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    pub(super) fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, KIND, &self.id, self);
    }

    /// Ends it, and puts it into the world's history.
    pub(super) fn end(&mut self, world: &World<'_>, scope: &Scope, ending: Ending) {
        self.ending = Some(ending);
        self.completed = Some(world.now_text());
        self.save(world, scope);
        let mut record = json!({
            "sql": self.query, "status": ending.word(), "workgroup": self.workgroup,
            "database": self.database,
        });
        if let Some(reason) = &self.reason {
            record["error"] = json!(reason);
        }
        world.remember(scope, "athena/query", &record);
    }
}

/// The statement with this id, as long as it is kept.
pub(super) fn execution(world: &World<'_>, scope: &Scope, id: &str) -> Option<Execution> {
    world
        .get::<Execution>(scope, KIND, id)
        .filter(|execution| world.now() < execution.moment() + KEPT)
}

/// The statements of an account, the last one first.
pub(super) fn executions(world: &World<'_>, scope: &Scope) -> Vec<Execution> {
    let mut found = world.list::<Execution>(scope, KIND);
    found.retain(|execution| world.now() < execution.moment() + KEPT);
    found.sort_by_key(|execution| std::cmp::Reverse(execution.number));
    found
}

pub(super) fn save_result(world: &World<'_>, scope: &Scope, id: &str, result: &ResultSet) {
    world.put(scope, RESULT, id, result);
}

pub(super) fn result(world: &World<'_>, scope: &Scope, id: &str) -> Option<ResultSet> {
    world.get(scope, RESULT, id)
}
