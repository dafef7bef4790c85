//! Comma-separated values as lists of fields, after RFC 4180.

/// A text that is not CSV.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CsvError {
    /// Line from 1.
    pub(super) line: usize,
    /// What is wrong there.
    pub(super) problem: &'static str,
}

/// The records of a text; empty lines are no records.
pub(super) fn records(text: &str, separator: char) -> Result<Vec<Vec<String>>, CsvError> {
    let mut records = Vec::new();
    let mut record: Vec<String> = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut was_quoted, mut line) = (false, false, 1);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\n' {
            line += 1;
        }
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            _ if quoted => field.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                record.push(std::mem::take(&mut field));
                if record.len() > 1 || !record[0].is_empty() || was_quoted {
                    records.push(std::mem::take(&mut record));
                }
                record.clear();
                was_quoted = false;
            }
            _ if character == separator => {
                record.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            _ if was_quoted => {
                return Err(CsvError { line, problem: "text after a closing quote" });
            }
            _ => field.push(character),
        }
    }
    if quoted {
        return Err(CsvError { line, problem: "a quoted field without its closing quote" });
    }
    if !record.is_empty() || !field.is_empty() || was_quoted {
        record.push(field);
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::{CsvError, records};

    #[test]
    fn quotes_separators_and_line_ends_are_kept_apart() {
        let text = "id,name\r\n1,\"Doe, \"\"Jo\"\"\"\n\n2,\"two\nlines\"";
        let expected = [["id", "name"], ["1", "Doe, \"Jo\""], ["2", "two\nlines"]];
        assert_eq!(
            records(text, ','),
            Ok(expected.map(|record| record.map(str::to_owned).to_vec()).to_vec())
        );
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line() {
        let problem = "a quoted field without its closing quote";
        assert_eq!(records("a\n\"b", ','), Err(CsvError { line: 2, problem }));
    }
}
