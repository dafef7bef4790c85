//! The columns of a SELECT, for what is read of its rows.

/// Words after which the list of columns is over.
const END: [&str; 6] = ["from", "where", "order", "limit", "union", "group"];

/// The names of the columns that a statement answers; nothing where they are not plainly written.
pub(super) fn columns(sql: &str) -> Option<Vec<String>> {
    let mut words = sql.split_whitespace();
    if !words.next()?.eq_ignore_ascii_case("select") || sql.contains(['(', '"', '\'', '*', ';']) {
        return None;
    }
    let is_end = |word: &&str| !END.iter().any(|end| word.eq_ignore_ascii_case(end));
    let list: Vec<&str> = words.take_while(is_end).collect();
    list.join(" ").split(',').map(column).collect()
}

/// `name`, `table.name` or `expression as name`.
fn column(item: &str) -> Option<String> {
    let words: Vec<&str> = item.split_whitespace().collect();
    let name = match words.as_slice() {
        [name] => name.rsplit('.').next()?,
        [.., word, name] if word.eq_ignore_ascii_case("as") => name,
        _ => return None,
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn plainly_written_columns_are_known() {
        let known = |sql: &str| columns(sql).map(|names| names.join(" "));
        assert_eq!(known("SELECT usename, u.useSuper FROM u"), Some("usename usesuper".to_owned()));
        assert_eq!(known("select a + b as total\nfrom t"), Some("total".to_owned()));
        for sql in
            ["SELECT * FROM t", "SELECT count(*) FROM t", "SELECT distinct a FROM t", "DROP t"]
        {
            assert_eq!(known(sql), None, "{sql}");
        }
    }
}
