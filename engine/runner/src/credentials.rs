//! Secrets on their way into and out of calls: handles in the journal, values on the wire.

use piton_core::account::AccountRef;
use piton_core::entry::{Body, CallResult, Read};
use piton_core::key::Key;
use piton_core::ports::Call;
use piton_core::secret::{self, Origin};
use piton_script::host::{Halt, ScriptCall};
use serde_json::{Value, json};

use crate::calls::Failure;
use crate::drive::{Driver, Ending};

impl Driver {
    /// The call with a handle in place of each secret that the script wrote out.
    pub(crate) fn without_literals(&self, mut call: ScriptCall) -> ScriptCall {
        for path in piton_models::secret_input_members(&call.service, &call.operation) {
            each_member(&mut call.input, path, String::new(), &mut |_, value| {
                if let Value::String(text) = value {
                    let digest = self.engine.sealing_key.keyed_digest(&self.run.0, text);
                    let origin = Origin::Literal { digest };
                    self.vault.keep(origin.clone(), std::mem::take(text));
                    *value = origin.handle();
                }
            });
        }
        call
    }

    /// The output with a handle in place of each credential.
    pub(crate) fn without_credentials(
        &self,
        key: &Key,
        call: &ScriptCall,
        mut output: Value,
    ) -> Value {
        for path in piton_models::credential_members(&call.service, &call.operation) {
            each_member(&mut output, path, String::new(), &mut |member, value| {
                if let Value::String(text) = value {
                    let origin = Origin::Output { key: key.clone(), member };
                    self.vault.keep(origin.clone(), std::mem::take(text));
                    *value = origin.handle();
                }
            });
        }
        output
    }

    /// Finds out about a secret that is not here before a call is begun, which would be in doubt then.
    pub(crate) fn gather_secrets(&self, input: &Value) -> Result<(), Halt> {
        match secret::resolved(input, &mut |origin| self.secret(origin)) {
            Err(Failure::Halt(halt)) => Err(halt),
            // What AWS says about it is said again when the call is made, which has a place for it.
            Ok(_) | Err(Failure::Call(_)) => Ok(()),
        }
    }

    /// The value of a handle, just before it is sent.
    pub(crate) fn secret(&self, origin: &Origin) -> Result<String, Failure> {
        if let Some(value) = self.vault.value(origin) {
            return Ok(value);
        }
        let value = match origin {
            Origin::Password { key, shape } => self.password(key, shape),
            Origin::Json { text } => {
                let body: Value = serde_json::from_str(text).unwrap_or(Value::Null);
                secret::resolved(&body, &mut |origin| self.secret(origin))?.to_string()
            }
            Origin::Env { name } => std::env::var(name)
                .map_err(|_| self.missing_secret(&format!("the environment variable {name}")))?,
            Origin::Param { name } => match self.references.get(name) {
                Some(arn) => self.fetch_param(arn)?,
                None => Err(self.missing_secret(&format!("the secret parameter {name}")))?,
            },
            Origin::Literal { .. } => Err(self.missing_secret("a secret that the script writes"))?,
            Origin::Output { key, member } => self.fetch_again(key, member)?,
        };
        self.vault.keep(origin.clone(), value.clone());
        Ok(value)
    }

    /// A secret parameter that Secrets Manager holds, read as the run's first account.
    fn fetch_param(&self, arn: &str) -> Result<String, Failure> {
        let declared = &self.program.declaration().accounts;
        let Some(first) = declared.iter().find(|known| !known.created_here && !known.many) else {
            return Err(self.missing_secret(&format!("an account that may read {arn}")).into());
        };
        let call = Call {
            account: AccountRef::alias(&first.alias),
            service: "secretsmanager".to_owned(),
            operation: "get_secret_value".to_owned(),
            input: json!({ "SecretId": arn }),
        };
        let answer = self.wait_for(self.engine.ports.operations.perform(&call))?;
        match answer.output["SecretString"].as_str() {
            Some(value) => Ok(value.to_owned()),
            None => Err(self.missing_secret(&format!("the text of the secret {arn}")).into()),
        }
    }

    /// The password of an entry: the same whenever it is asked for.
    fn password(&self, key: &Key, shape: &str) -> String {
        let shape: Value = serde_json::from_str(shape).unwrap_or(Value::Null);
        let length = shape.get("length").and_then(Value::as_u64).unwrap_or(32);
        let alphabet = shape.get("alphabet").and_then(Value::as_str).unwrap_or(PASSWORD_ALPHABET);
        let alphabet: Vec<char> = alphabet.chars().collect();
        let length = usize::try_from(length).unwrap_or(32);
        self.engine.sealing_key.password(&self.run, key.as_str(), &alphabet, length)
    }

    /// Reads again what handed out a credential, since the credential itself was not kept.
    fn fetch_again(&self, key: &Key, member: &str) -> Result<String, Failure> {
        let Some(read) = self.recorded_read(key)? else {
            let what = format!("the credential `{member}` of `{key}`, which AWS shows only once,");
            return Err(self.missing_secret(&what).into());
        };
        let call = Call {
            account: read.account,
            service: read.service,
            operation: read.operation,
            input: secret::resolved(&read.input, &mut |origin| self.secret(origin))?,
        };
        let answer = self.wait_for(self.engine.ports.operations.perform(&call))?;
        let value = member.split('/').fold(&answer.output, |value, name| match value {
            Value::Array(items) => {
                name.parse().ok().and_then(|at: usize| items.get(at)).unwrap_or(&Value::Null)
            }
            other => other.get(name).unwrap_or(&Value::Null),
        });
        match value.as_str() {
            Some(value) => Ok(value.to_owned()),
            None => {
                Err(self.missing_secret(&format!("the credential `{member}` of `{key}`")).into())
            }
        }
    }

    /// The read that an entry records, looked for from the start of the journal.
    fn recorded_read(&self, key: &Key) -> Result<Option<Read>, Halt> {
        let mut after = 0;
        loop {
            let chunk = self.engine.ports.journal.entries(&self.run, after, 512);
            let chunk =
                chunk.map_err(|error| self.end(&mut self.state(), Ending::Journal(error)))?;
            let Some(last) = chunk.last() else { return Ok(None) };
            after = last.seq;
            for stored in chunk {
                if stored.entry.key.as_ref() != Some(key) {
                    continue;
                }
                if let Body::Outcome(outcome) = stored.entry.body
                    && let (Some(read), CallResult::Value(_)) = (outcome.read, outcome.result)
                {
                    return Ok(Some(read));
                }
            }
        }
    }

    /// A handle whose value this process cannot have: the run waits for somebody who has it.
    pub(crate) fn missing_secret(&self, what: &str) -> Halt {
        let reason = piton_core::status::Reason::Credentials {
            alias: what.to_owned(),
            message: format!("{what} is needed by a call and is not here"),
            renew_with: None,
        };
        self.suspend(&mut self.state(), reason)
    }
}

/// What a password is made of when the script does not say: nothing that AWS, shells or URLs mind.
pub(crate) const PASSWORD_ALPHABET: &str =
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.";

/// Visits the members at a path such as `Credentials/SecretAccessKey`; `*` stands for every element
/// of a list or value of a map. The visitor gets the path with the actual names.
fn each_member(
    value: &mut Value,
    path: &str,
    at: String,
    visit: &mut dyn FnMut(String, &mut Value),
) {
    if path.is_empty() {
        return visit(at, value);
    }
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
    match value {
        Value::Array(items) if name == "*" => {
            for (index, item) in items.iter_mut().enumerate() {
                each_member(item, rest, below(&index.to_string()), visit);
            }
        }
        Value::Object(members) if name == "*" => {
            for (member, value) in members.iter_mut() {
                each_member(value, rest, below(member), visit);
            }
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(name) {
                each_member(member, rest, below(name), visit);
            }
        }
        _ => {}
    }
}
