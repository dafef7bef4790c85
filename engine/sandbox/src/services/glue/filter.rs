//! The expressions of GetPartitions: comparisons of partition columns with literals, all of which
//! must hold.
//!
//! OR, IN, LIKE, BETWEEN and parentheses are refused by name.

use std::cmp::Ordering;

use super::invalid;
use super::state::Column;
use crate::services::AwsFault;

/// A parsed expression; an empty one holds for everything.
#[derive(Debug)]
pub(super) struct Filter(Vec<Comparison>);

#[derive(Debug)]
struct Comparison {
    /// Position among the partition columns.
    column: usize,
    operator: &'static str,
    value: String,
    as_numbers: bool,
}

/// Longer operators first, so that `<=` is not read as `<`.
const OPERATORS: [&str; 7] = ["<=", ">=", "<>", "!=", "=", "<", ">"];

impl Filter {
    /// Reads an expression over these partition columns.
    pub(super) fn parse(expression: &str, columns: &[Column]) -> Result<Self, AwsFault> {
        if expression.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        conjuncts(expression)
            .iter()
            .map(|one| comparison(one, columns))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it holds for a partition's values.
    pub(super) fn holds(&self, values: &[String]) -> bool {
        self.0.iter().all(|comparison| {
            values.get(comparison.column).is_some_and(|value| comparison.holds(value))
        })
    }
}

impl Comparison {
    fn holds(&self, value: &str) -> bool {
        let order = match (self.as_numbers, value.parse::<f64>(), self.value.parse::<f64>()) {
            (true, Ok(left), Ok(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Less),
            _ => value.cmp(&self.value),
        };
        match self.operator {
            "=" => order.is_eq(),
            "<>" | "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        }
    }
}

/// The text between the ANDs, outside quotes.
fn conjuncts(expression: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for word in expression.split_inclusive(char::is_whitespace) {
        let opens = word.matches('\'').count() % 2 == 1;
        if !quoted && word.trim().eq_ignore_ascii_case("and") {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(word);
        }
        quoted ^= opens;
    }
    parts
}

fn comparison(text: &str, columns: &[Column]) -> Result<Comparison, AwsFault> {
    let unsupported = || AwsFault {
        code: "NotImplementedInSandbox".to_owned(),
        message: format!("not implemented in the sandbox: the partition filter {}", text.trim()),
        status: Some(501),
    };
    let (at, operator) = OPERATORS
        .iter()
        .filter_map(|operator| text.find(operator).map(|at| (at, *operator)))
        .min_by_key(|(at, operator)| (*at, 2 - operator.len().min(2)))
        .ok_or_else(unsupported)?;
    let name = text[..at].trim().trim_matches(['`', '"']).to_lowercase();
    let value = text[at + operator.len()..].trim();
    if name.contains(|letter: char| letter.is_whitespace() || letter == '(') {
        return Err(unsupported());
    }
    let column = columns
        .iter()
        .position(|(known, _, _)| *known == name)
        .ok_or_else(|| invalid(format!("Unsupported expression: {name} is no partition key")))?;
    let unquoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    let as_numbers = ["int", "bigint", "smallint", "tinyint", "double", "float", "decimal"]
        .iter()
        .any(|kind| columns[column].1.starts_with(kind));
    match unquoted.or(value.parse::<f64>().is_ok().then_some(value)) {
        Some(value) => Ok(Comparison { column, operator, value: value.to_owned(), as_numbers }),
        None => Err(unsupported()),
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn held(expression: &str, values: [&str; 2]) -> bool {
        let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned(), String::new());
        let columns = [column("year", "int"), column("region", "string")];
        Filter::parse(expression, &columns)
            .expect("an expression")
            .holds(&values.map(str::to_owned))
    }

    #[test]
    fn all_comparisons_must_hold() {
        assert!(held("", ["2024", "eu"]));
        assert!(held("year >= 900 AND region = 'eu and us'", ["2024", "eu and us"]));
        assert!(!held("year>'900' and region<>'eu'", ["2024", "eu"]));
        assert!(!held("region < 'a'", ["1", "eu"]));
    }

    #[test]
    fn what_it_cannot_read_is_refused() {
        let columns = [("year".to_owned(), "int".to_owned(), String::new())];
        for expression in ["year in (1, 2)", "month = 1", "year = 1 or year = 2", "(year = 1)"] {
            assert!(Filter::parse(expression, &columns).is_err(), "{expression}");
        }
    }
}
