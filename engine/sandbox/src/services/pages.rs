//! Lists by page, for services whose tokens and sizes have the usual form.

use serde_json::{Value, json};

use super::{AwsFault, Call, Reply};

/// How a service pages: the names of its members, and the error for a token that it never gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    /// Input member with the size of a page, `maxResults`.
    pub(crate) size: &'static str,
    /// Input member with the token, `nextToken`.
    pub(crate) token: &'static str,
    /// Output member with the token.
    pub(crate) next: &'static str,
    /// Size of a page when the input does not say it; also the largest.
    pub(crate) most: usize,
    /// Code of the error.
    pub(crate) error: &'static str,
}

impl Paging {
    /// One page of `items` under the output's name for them.
    pub(crate) fn page(&self, call: &Call<'_>, member: &str, items: Vec<Value>) -> Reply {
        let asked = call.input.get(self.size).and_then(Value::as_u64);
        let size = asked.and_then(|size| usize::try_from(size).ok()).unwrap_or(self.most);
        let size = size.clamp(1, self.most);
        let start = match call.text(self.token) {
            "" => 0,
            token => token
                .strip_prefix("sandbox-page-")
                .and_then(|start| start.parse::<usize>().ok())
                .ok_or_else(|| {
                    AwsFault::new(self.error, format!("The token {token} is not valid."))
                })?,
        };
        let left = items.len().saturating_sub(start);
        let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        let mut answer = json!({ member: shown });
        if left > size {
            answer[self.next] = json!(format!("sandbox-page-{}", start + size));
        }
        Ok(answer)
    }
}

/// The texts of a list member; none when it is absent.
pub(crate) fn texts(input: &Value, member: &str) -> Vec<String> {
    let list = input.get(member).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
