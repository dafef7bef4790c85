//! Option maps of prelude functions: unknown keys, wrong types and bad times are said by name.

use std::str::FromStr as _;

use piton_core::time::Span;
use piton_models::suggest;
use rhai::{Dynamic, FnPtr, Map, NativeCallContext};
use serde_json::Value;

use crate::failure::{self, Native};
use crate::value::{self, Secrets};

/// The options of one call.
pub(crate) struct Options<'a> {
    context: &'a NativeCallContext<'a>,
    /// What the options belong to, for messages: `approve`, `settled_by`.
    owner: &'static str,
    values: Map,
}

impl<'a> Options<'a> {
    /// Options with nothing but `known` keys. A key with `()` counts as left out.
    pub(crate) fn new(
        context: &'a NativeCallContext<'a>,
        owner: &'static str,
        given: Dynamic,
        known: &[&str],
    ) -> Native<Self> {
        let found = value::describe(&given);
        let Some(mut values) = given.flatten().try_cast::<Map>() else {
            let message = format!("the options of `{owner}` are {found}, not a map");
            let hint = format!("options: {}", known.join(", "));
            return Err(failure::bad_argument_hint(context, message, hint));
        };
        if let Some(unknown) = values.keys().find(|name| !known.contains(&name.as_str())) {
            let message = format!("`{owner}` has no option `{unknown}`");
            let hint = suggest::nearest(unknown, known.iter().copied()).map_or_else(
                || format!("options: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(failure::bad_argument_hint(context, message, hint));
        }
        values.retain(|_, value| !value.is_unit());
        Ok(Self { context, owner, values })
    }

    /// A complaint about an option.
    pub(crate) fn wrong(&self, option: &str, problem: &str) -> failure::Raise {
        let message = format!("the option `{option}` of `{}` {problem}", self.owner);
        failure::bad_argument(self.context, message)
    }

    fn wrong_type(&self, option: &str, wanted: &str, found: &Dynamic) -> failure::Raise {
        self.wrong(option, &format!("takes {wanted}, found {}", value::describe(found)))
    }

    pub(crate) fn required<T>(&self, option: &str, value: Option<T>) -> Native<T> {
        value.ok_or_else(|| {
            let message = format!("`{}` needs the option `{option}`", self.owner);
            failure::bad_argument(self.context, message)
        })
    }

    pub(crate) fn text(&mut self, option: &str) -> Native<Option<String>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        match value.clone().into_immutable_string() {
            Ok(text) => Ok(Some(text.to_string())),
            Err(_) => Err(self.wrong_type(option, "a text", &value)),
        }
    }

    pub(crate) fn boolean(&mut self, option: &str) -> Native<Option<bool>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        value.as_bool().map(Some).map_err(|_| self.wrong_type(option, "true or false", &value))
    }

    /// A whole number within bounds.
    pub(crate) fn count(&mut self, option: &str, least: u32, most: u32) -> Native<Option<u32>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        value
            .as_int()
            .ok()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number))
            .map(Some)
            .ok_or_else(|| self.wrong(option, &format!("is a whole number from {least} to {most}")))
    }

    /// A length of time, `30s` or `2h`.
    pub(crate) fn span(&mut self, option: &str) -> Native<Option<Span>> {
        let Some(text) = self.text(option)? else { return Ok(None) };
        Span::from_str(&text)
            .map(Some)
            .map_err(|problem| self.wrong(option, &format!("is no length of time: {problem}")))
    }

    /// One text or a list of texts.
    pub(crate) fn texts(&mut self, option: &str) -> Native<Vec<String>> {
        let values = self.values_of(option)?;
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(option, &format!("takes texts, found {other}"))),
        };
        values.into_iter().map(text).collect()
    }

    /// One value or a list of values.
    pub(crate) fn values_of(&mut self, option: &str) -> Native<Vec<Value>> {
        Ok(match self.plain(option, Secrets::Refused)? {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        })
    }

    /// Any plain data.
    pub(crate) fn plain(&mut self, option: &str, secrets: Secrets) -> Native<Option<Value>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        value::to_json(&value, secrets).map(Some).map_err(|problem| {
            failure::bad_argument(self.context, problem.sentence(&format!("the option `{option}`")))
        })
    }

    /// A map of plain data.
    pub(crate) fn object(
        &mut self,
        option: &str,
        secrets: Secrets,
    ) -> Native<Option<serde_json::Map<String, Value>>> {
        match self.plain(option, secrets)? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(self.wrong(option, "takes a map")),
        }
    }

    pub(crate) fn closure(&mut self, option: &str) -> Native<Option<FnPtr>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        value
            .clone()
            .flatten()
            .try_cast::<FnPtr>()
            .map(Some)
            .ok_or_else(|| self.wrong_type(option, "a closure (|| ...)", &value))
    }

    pub(crate) fn nested(&mut self, option: &'static str, known: &[&str]) -> Native<Option<Self>> {
        let Some(value) = self.values.remove(option) else { return Ok(None) };
        Self::new(self.context, option, value, known).map(Some)
    }
}
