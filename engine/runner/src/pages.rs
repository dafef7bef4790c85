//! Paginated operations: every page, as one answer.

use piton_core::ports::{Answer, Call, CallFailure, Operations};
use serde_json::Value;

/// More pages than this are a loop in the service, not a result.
const PAGES_MAX: usize = 10_000;

/// Sends a call until there are no more pages. The answer is the first page's with the lists of all
/// pages joined and without a token.
pub(crate) async fn all(
    operations: &dyn Operations,
    mut call: Call,
) -> Result<Answer, CallFailure> {
    let paginator = piton_models::service(&call.service).and_then(|model| {
        let operation = model.operation_by_script_name(&call.operation)?;
        model.paginators.get(&operation.name)
    });
    let Some(paginator) = paginator else {
        return Err(CallFailure::Invalid {
            path: String::new(),
            message: format!("{}.{} has no pages", call.service, call.operation),
        });
    };
    let mut joined: Option<Answer> = None;
    for _ in 0..PAGES_MAX {
        let page = operations.perform(&call).await?;
        let tokens: Vec<(&String, Value)> = paginator
            .input_token
            .iter()
            .zip(&paginator.output_token)
            .filter_map(|(input, output)| Some((input, next_token(&page.output, output)?)))
            .collect();
        let more = paginator.more_results.as_ref().is_none_or(|member| {
            at(&page.output, member).and_then(Value::as_bool).unwrap_or(false)
        });
        match &mut joined {
            None => joined = Some(page),
            Some(first) => {
                for key in &paginator.result_key {
                    append(&mut first.output, &page.output, key);
                }
            }
        }
        if tokens.is_empty() || !more {
            break;
        }
        let Value::Object(members) = &mut call.input else { break };
        for (input, token) in tokens {
            members.insert(input.clone(), token);
        }
    }
    let mut answer = joined.expect("at least one page was asked for");
    if let Value::Object(members) = &mut answer.output {
        let tokens = paginator.output_token.iter().flat_map(|path| path.split("||"));
        for name in tokens.chain(paginator.more_results.as_deref()) {
            members.remove(name.trim());
        }
    }
    Ok(answer)
}

/// A token by a path such as `NextMarker || Contents[-1].Key`: the first part that has one.
fn next_token(output: &Value, path: &str) -> Option<Value> {
    path.split("||")
        .filter_map(|path| at(output, path.trim()))
        .find(|token| token.as_str().is_none_or(|text| !text.is_empty()))
        .cloned()
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let inner = |value: &'a Value, part: &str| match part.strip_suffix("[-1]") {
        Some(name) => value.get(name)?.as_array()?.last(),
        None => value.get(part),
    };
    path.split('.').try_fold(value, inner).filter(|value| !value.is_null())
}

fn append(first: &mut Value, page: &Value, path: &str) {
    let Some(Value::Array(more)) = at(page, path) else { return };
    let mut target = first;
    for name in path.split('.') {
        if !target.is_object() {
            return;
        }
        target = &mut target[name];
    }
    match target {
        Value::Array(items) => items.extend(more.iter().cloned()),
        empty @ Value::Null => *empty = Value::Array(more.clone()),
        _ => {}
    }
}
