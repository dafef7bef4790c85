//! Idempotency tokens: a repeated token is answered with the first reply, and nothing happens.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use piton_models::{Model, Operation};

use crate::services::AwsFault;

/// Members that are tokens although the model does not flag them.
const UNFLAGGED: [&str; 3] = ["ClientRequestToken", "ClientToken", "clientToken"];

/// The place of one token.
#[derive(Debug)]
pub(super) struct Token<'a> {
    account: &'a str,
    region: &'a str,
    operation: String,
    token: &'a str,
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
        Some(Self { account, region, operation, token, input: input.to_string() })
    }

    /// What is known of it.
    pub(super) fn look_up(&self, connection: &Connection) -> rusqlite::Result<Known> {
        let stored: Option<(String, String)> = connection
            .prepare_cached(
                "SELECT input, reply FROM tokens
                 WHERE account = ?1 AND region = ?2 AND operation = ?3 AND token = ?4",
            )?
            .query_row(params![self.account, self.region, self.operation, self.token], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        Ok(match stored {
            None => Known::New,
            Some((input, _)) if input != self.input => Known::Mismatch(self.mismatch()),
            Some((_, reply)) => serde_json::from_str(&reply).map_or(Known::New, Known::Answered),
        })
    }

    /// Keeps the reply of a success.
    pub(super) fn keep(&self, connection: &Connection, reply: &Value) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO tokens (account, region, operation, token, input, reply)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.account,
                self.region,
                self.operation,
                self.token,
                self.input,
                reply.to_string()
            ])?;
        Ok(())
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
