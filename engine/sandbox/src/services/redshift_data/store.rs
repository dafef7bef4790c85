//! Statements as the world keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::services::redshift::EndpointName;
use crate::services::{AwsFault, Call};
use crate::sql::ResultSet;
use crate::world::{Scope, World};

/// Statements are not part of what `sandbox dump` shows of live resources: finished ones are in the
/// history.
pub(super) const KIND: &str = "_redshift_data/statement";
const RESULT: &str = "_redshift_data/result";

/// How long a statement and its result are kept.
const KEPT: Duration = Duration::hours(24);

/// When a statement is picked, started and done, counted from its submission.
const PICKED: Duration = Duration::milliseconds(200);
const STARTED: Duration = Duration::milliseconds(400);
pub(super) const DONE: Duration = Duration::milliseconds(1_500);

/// One submitted statement, or batch of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Statement {
    pub(super) id: String,
    /// Its submission's place among all of the world.
    pub(super) number: u64,
    /// STS's user id of whoever submitted it.
    pub(super) owner: String,
    /// Name of the IAM user or role that it was submitted as: what `RoleLevel` compares.
    pub(super) identity: String,
    pub(super) sqls: Vec<String>,
    pub(super) is_batch: bool,
    /// The statements of a batch commit one by one.
    pub(super) auto_commit: bool,
    pub(super) name: Option<String>,
    #[serde(flatten)]
    pub(super) target: EndpointName,
    pub(super) namespace: String,
    pub(super) database: String,
    /// The database user, or why there is none.
    pub(super) user: Result<String, String>,
    /// `DbUser` as it was given.
    pub(super) db_user: Option<String>,
    pub(super) secret_arn: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) csv: bool,
    #[serde(with = "nanoseconds")]
    pub(super) created: OffsetDateTime,
    #[serde(with = "nanoseconds")]
    pub(super) updated: OffsetDateTime,
    /// Set once it has ended.
    pub(super) ended: Option<Ending>,
    pub(super) error: Option<String>,
    pub(super) parts: Vec<Part>,
}

/// A moment as nanoseconds since 1970: statements are shorter than the milliseconds of a timestamp
/// can tell apart.
mod nanoseconds {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use time::OffsetDateTime;

    pub(super) fn serialize<S: Serializer>(at: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let at = i64::deserialize(from)?;
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at)).map_err(D::Error::custom)
    }
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Ending {
    Finished,
    Failed,
    Aborted,
}

/// One SQL text of a statement, once it has run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) ended: Ending,
    pub(super) error: Option<String>,
    pub(super) is_query: bool,
    pub(super) rows: usize,
    /// Bytes of the result.
    pub(super) size: usize,
}

impl Part {
    /// A text that was not run, or whose effect was taken back.
    pub(super) fn aborted() -> Self {
        Self { ended: Ending::Aborted, error: None, is_query: false, rows: 0, size: 0 }
    }
}

impl Ending {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }
}

impl Statement {
    /// Its status at a moment.
    pub(super) fn status(&self, now: OffsetDateTime) -> &'static str {
        match self.ended {
            Some(ending) => ending.word(),
            None if now < self.created + PICKED => "SUBMITTED",
            None if now < self.created + STARTED => "PICKED",
            None => "STARTED",
        }
    }

    /// Writes where it runs, as answers have it.
    pub(super) fn show_target(&self, shown: &mut Value) {
        let member = match &self.target {
            EndpointName::Cluster(_) => "ClusterIdentifier",
            EndpointName::Workgroup(_) => "WorkgroupName",
        };
        shown[member] = json!(self.target.name());
    }

    pub(super) fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, KIND, &self.id, self);
    }

    /// Ends it, and puts it into the world's history.
    pub(super) fn end(
        &mut self,
        world: &World<'_>,
        scope: &Scope,
        ending: Ending,
        at: OffsetDateTime,
    ) {
        self.ended = Some(ending);
        self.updated = at;
        self.save(world, scope);
        let sqls: Vec<String> =
            self.sqls.iter().map(|sql| crate::sql::without_passwords(sql)).collect();
        let mut record = json!({
            "sql": sqls.join("; "), "status": ending.word(), "database": self.database,
        });
        record[self.target.kind()] = json!(self.target.name());
        if let Some(error) = &self.error {
            record["error"] = json!(error);
        }
        world.remember(scope, "redshift_data/statement", &record);
    }
}

/// The statement with this id, or the part of a batch that `id:n` names, as the caller may see it.
pub(super) fn found(call: &Call<'_>, id: &str) -> Result<Statement, AwsFault> {
    let whole = id.split(':').next().unwrap_or(id);
    call.world
        .get::<Statement>(&call.scope(), KIND, whole)
        .filter(|statement| call.now() < statement.created + KEPT)
        .ok_or_else(|| {
            AwsFault::new("ResourceNotFoundException", format!("Query {id} does not exist."))
        })
}

/// Whether a statement is young enough to be listed.
pub(super) fn is_kept(statement: &Statement, now: OffsetDateTime) -> bool {
    now < statement.created + KEPT
}

/// The part that `id:n` names; the only one of a statement that is no batch.
pub(super) fn part_index(statement: &Statement, id: &str) -> Option<usize> {
    match id.split_once(':') {
        Some((_, number)) => number.parse::<usize>().ok()?.checked_sub(1),
        None if statement.is_batch => None,
        None => Some(0),
    }
    .filter(|index| *index < statement.sqls.len())
}

fn result_id(statement: &Statement, index: usize) -> String {
    format!("{}:{}", statement.id, index + 1)
}

pub(super) fn save_result(
    world: &World<'_>,
    scope: &Scope,
    statement: &Statement,
    index: usize,
    result: &ResultSet,
) {
    world.put(scope, RESULT, &result_id(statement, index), result);
}

pub(super) fn result(call: &Call<'_>, statement: &Statement, index: usize) -> Option<ResultSet> {
    call.world.get(&call.scope(), RESULT, &result_id(statement, index))
}
