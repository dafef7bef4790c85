//! Idempotency tokens: a repeated token is answered with the first reply, and nothing happens, until
//! the service has forgotten it.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use piton_models::{Model, Operation};

use crate::services::AwsFault;
use crate::world::{parse_timestamp, timestamp};

/// How long a token is remembered. AWS does not say it for most services, and the windows that it
/// does publish differ.
const REMEMBERED: Duration = Duration::hours(24);

/// Members that are tokens although the model does not flag them.
const UNFLAGGED: [&str; 3] = ["ClientRequestToken", "ClientToken", "clientToken"];

/// The place of one token.
#[derive(Debug)]
pub(super) struct Token<'a> {
    account: &'a str,
    region: &'a str,
    operation: String,
    token: &'a str,
    /// Digest of the input.
    input: String,
}

/// What is known of a token.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing: the call is new.
    New,
    /// The same call was answered with this.
    Answered(Value),
    /// It came with another input.
    Mismatch(AwsFault),
}

impl<'a> Token<'a> {
    /// The token that an input carries.
    pub(super) fn of(
        model: &Model,
        operation: &Operation,
        account: &'a str,
        region: &'a str,
        input: &'a Value,
    ) -> Option<Self> {
        let member = model.token_member(operation).or_else(|| {
            UNFLAGGED.into_iter().find(|name| {
                model.input_shape(operation).is_some_and(|shape| shape.member_named(name).is_some())
            })
        })?;
        let token = input.get(member)?.as_str()?;
        let operation = format!("{}.{}", model.script_name, operation.name);
        // Inputs may hold secrets, and only their equality matters.
        let digest = Sha256::digest(input.to_string().as_bytes());
        let input = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { account, region, operation, token, input })
    }

    /// What is known of it.
    pub(super) fn look_up(
        &self,
        connection: &Connection,
        now: OffsetDateTime,
    ) -> rusqlite::Result<Known> {
        let stored: Option<(String, String, String)> = connection
            .prepare_cached(
                "SELECT input, reply, at FROM tokens
                 WHERE account = ?1 AND region = ?2 AND operation = ?3 AND token = ?4",
            )?
            .query_row(params![self.account, self.region, self.operation, self.token], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let known = stored.filter(|(_, _, at)| !self.is_forgotten(at, now));
        Ok(match known {
            None => Known::New,
            Some((input, ..)) if input != self.input => Known::Mismatch(self.mismatch()),
            Some((_, reply, _)) => serde_json::from_str(&reply).map_or(Known::New, Known::Answered),
        })
    }

    /// Keeps the reply of a success.
    pub(super) fn keep(
        &self,
        connection: &Connection,
        reply: &Value,
        now: OffsetDateTime,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO tokens (account, region, operation, token, input, reply, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.account,
                self.region,
                self.operation,
                self.token,
                self.input,
                reply.to_string(),
                timestamp(now)
            ])?;
        Ok(())
    }

    /// Whether a token that was used then is not known any more. Secrets Manager's is the id of the
    /// version that it made, and lasts with it.
    fn is_forgotten(&self, at: &str, now: OffsetDateTime) -> bool {
        !self.operation.starts_with("secretsmanager.")
            && parse_timestamp(at).is_some_and(|at| now - at >= REMEMBERED)
    }

    fn mismatch(&self) -> AwsFault {
        let service = self.operation.split('.').next().unwrap_or_default();
        let code = match service {
            "datazone" => "ConflictException",
            "secretsmanager" => "ResourceExistsException",
            "athena" => "InvalidRequestException",
            "ram" => "IdempotentParameterMismatchException",
            "redshift_data" => "ValidationException",
            _ => "IdempotentParameterMismatch",
        };
        AwsFault::new(
            code,
            format!(
                "The token {} was already used with another input for {}.",
                self.token,
                self.operation.rsplit('.').next().unwrap_or_default()
            ),
        )
    }
}
