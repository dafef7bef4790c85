//! What was there before a call that replaces it: looked at just before the call is sent, and
//! recorded with its intent, so that a rollback can put it back.

use piton_core::catalogue;
use piton_core::entry::Before;
use piton_core::key::Key;
use piton_core::ports::CallFailure;
use piton_script::host::{Halt, ScriptCall};

use crate::calls::Failure;
use crate::drive::Driver;

impl Driver {
    /// What was there, for a call whose reviewed row says where to look. A look that AWS refuses does
    /// not hold up the call: it cannot be taken back then, and the plan of a rollback says so.
    pub(crate) fn look_before(&self, key: &Key, call: &ScriptCall) -> Result<Option<Before>, Halt> {
        let row = catalogue::reviewed(&call.service, &call.operation);
        let Some(look) = row.and_then(|row| row.before.as_ref()) else { return Ok(None) };
        let look = look.about(&call.input, &serde_json::Value::Null);
        let answer = match self.read(call, &look.operation, &look.input) {
            Ok(answer) => answer,
            Err(Failure::Halt(halt)) => return Err(halt),
            Err(Failure::Call(CallFailure::Refused(error))) => {
                return Ok(Some(match look.none_on.contains(&error.code) {
                    true => Before::Absent,
                    false => Before::Unknown { error: self.scrubbed(error) },
                }));
            }
            Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
        };
        Ok(Some(match look.things(&answer).first() {
            None => Before::Absent,
            Some(thing) => {
                let read = ScriptCall { operation: look.operation.clone(), ..call.clone() };
                let value = self.without_credentials(key, &read, (*thing).clone());
                Before::There { value }
            }
        }))
    }
}
