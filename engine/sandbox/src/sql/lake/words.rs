//! The engine's errors in Athena's words: an error's name, then what is wrong.

use super::super::SqlError;

/// What Athena says of an error.
pub(crate) fn in_athena_words(error: &SqlError) -> String {
    let text = error.message.as_str();
    let named = |name: &str, message: String| format!("{name}: {message}");
    if let Some(rest) = text.strip_prefix("column ") {
        let column = rest.split(" does not exist").next().unwrap_or(rest).trim_matches('"');
        if rest.contains("does not exist") {
            return named(
                "COLUMN_NOT_FOUND",
                format!(
                    "line 1:8: Column '{column}' cannot be resolved or requester is not authorized \
                     to access requested resources"
                ),
            );
        }
    }
    if text.starts_with("missing FROM-clause entry") {
        return named("COLUMN_NOT_FOUND", format!("line 1:8: {text}"));
    }
    if let Some(rest) = text.strip_prefix("function ")
        && rest.ends_with("does not exist")
    {
        let name = rest.split('(').next().unwrap_or(rest);
        return named("FUNCTION_NOT_FOUND", format!("line 1:8: Function '{name}' not registered"));
    }
    for (part, name) in [
        ("is not implemented in the sandbox", "NOT_SUPPORTED"),
        ("is ambiguous", "AMBIGUOUS_NAME"),
        ("GROUP BY", "EXPRESSION_NOT_AGGREGATE"),
        ("operator does not exist", "TYPE_MISMATCH"),
        ("cannot cast", "TYPE_MISMATCH"),
        ("is of type", "TYPE_MISMATCH"),
        ("invalid input syntax", "INVALID_CAST_ARGUMENT"),
        ("same number of columns", "TYPE_MISMATCH"),
        ("ivision by zero", "DIVISION_BY_ZERO"),
        ("divide by zero", "DIVISION_BY_ZERO"),
        ("out of range", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("syntax error", "SYNTAX_ERROR"),
    ] {
        if text.contains(part) {
            return named(name, text.to_owned());
        }
    }
    named("GENERIC_USER_ERROR", text.to_owned())
}
