//! Which statement is whose: queries to the compiler, everything else to `ddl`, `dml`, `control`.

use std::cell::Cell;

use sqlparser::ast::{Expr, ObjectName, Query, SetExpr, Statement};
use sqlparser::tokenizer::Token;

use super::catalog::RelationKind;
use super::compile::{Compiler, literal, unsupported};
use super::control::{self, Actor};
use super::ddl::Ddl;
use super::parse::{self, Cursor, Tokens, is_word, near};
use super::{ResultSet, SqlError, Warehouse, dml, run_query};

/// Statements that are refused, with the reason where there is one to give.
const REFUSED: [(&str, &str); 24] = [
    ("COPY", ": it would read from Amazon S3"),
    ("UNLOAD", ": it would write to Amazon S3"),
    ("BEGIN", ": statements commit by themselves, and a batch is one transaction"),
    ("START TRANSACTION", ": statements commit by themselves, and a batch is one transaction"),
    ("COMMIT", ": statements commit by themselves, and a batch is one transaction"),
    ("END", ": statements commit by themselves, and a batch is one transaction"),
    ("ROLLBACK", ": statements commit by themselves, and a batch is one transaction"),
    ("CALL", ""),
    ("EXPLAIN", ""),
    ("COMMENT", ""),
    ("LOCK", ""),
    ("PREPARE", ""),
    ("EXECUTE", ""),
    ("DEALLOCATE", ""),
    ("DECLARE", ""),
    ("FETCH", ""),
    ("CREATE EXTERNAL", ""),
    ("CREATE FUNCTION", ""),
    ("CREATE OR REPLACE FUNCTION", ""),
    ("CREATE PROCEDURE", ""),
    ("CREATE OR REPLACE PROCEDURE", ""),
    ("CREATE MODEL", ""),
    ("ALTER DEFAULT PRIVILEGES", ""),
    ("SET SESSION AUTHORIZATION", ""),
];

impl Warehouse<'_> {
    /// Runs one parsed text; the caller sees to it that a failure leaves nothing behind.
    pub(super) fn run(
        &mut self,
        user: &str,
        database: &str,
        tokens: Tokens,
    ) -> Result<ResultSet, SqlError> {
        self.catalog.database(database)?;
        self.catalog.user(user)?;
        let mut cursor = Cursor::new(&tokens);
        for (words, reason) in REFUSED {
            if cursor.accept(words) {
                return unsupported::<ResultSet>(words)
                    .map_err(|error| SqlError::new(format!("{}{reason}", error.message)));
            }
        }
        let account = self.scope.account.clone();
        let actor = Actor { world: self.world, account: &account, user, database };
        if control::run(&mut self.catalog, &actor, &mut cursor)? {
            return Ok(ResultSet::default());
        }
        if cursor.accept("SHOW") {
            return self.show(user, database, &mut cursor);
        }
        if cursor.accept("SET") || cursor.accept("RESET") {
            return setting(&cursor);
        }
        // Both only tend to storage and statistics.
        if cursor.accept("ANALYZE") || cursor.accept("VACUUM") {
            return Ok(ResultSet::default());
        }
        if cursor.accept("ALTER TABLE") && self.altered(&actor, &mut cursor)? {
            return Ok(ResultSet::default());
        }
        self.parsed(user, database, tokens)
    }

    /// The ALTER TABLEs that sqlparser does not read: OWNER TO; and distribution, sort keys and
    /// encoding, which change no result.
    fn altered(&mut self, actor: &Actor<'_>, cursor: &mut Cursor) -> Result<bool, SqlError> {
        let parts = cursor.dotted_name()?;
        let storage = ["DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND SORTKEY", "ENCODE"]
            .map(|of| format!("ALTER {of}"));
        let owner = cursor.accept("OWNER TO");
        if !owner && !storage.iter().any(|words| cursor.accept(words)) {
            return Ok(false);
        }
        let name = self.catalog.resolve(actor.user, actor.database, &parts)?;
        self.catalog.require_owner(actor.user, &name)?;
        if owner {
            let user = cursor.user_name()?;
            self.catalog.user(&user)?;
            self.catalog.relation_mut(&name)?.owner = user;
            cursor.end()?;
        }
        Ok(true)
    }

    fn parsed(
        &mut self,
        user: &str,
        database: &str,
        tokens: Tokens,
    ) -> Result<ResultSet, SqlError> {
        let creates_table = creates(&tokens, "TABLE");
        let view_query = if creates(&tokens, "VIEW") { Some(view_text(&tokens)) } else { None };
        let (tokens, attributes) = match creates_table {
            true => parse::table_attributes(tokens)?,
            false => (tokens, parse::TableAttributes::default()),
        };
        let statement = parse::parse(tokens)?;
        let world = self.world;
        let affected = match &statement {
            Statement::Query(query) => match into(query) {
                Some((name, query)) => Ddl { world, catalog: &mut self.catalog, user, database }
                    .select_into(&name, &query)?,
                None => {
                    let counter = Cell::new(0);
                    let session = self.session(user, database);
                    let compiled = Compiler::new(session, &counter).query(query)?;
                    return run_query(world, &compiled);
                }
            },
            Statement::Insert(insert) => dml::insert(self.session(user, database), insert)?,
            Statement::Update(update) => dml::update(self.session(user, database), update)?,
            Statement::Delete(delete) => dml::delete(self.session(user, database), delete)?,
            Statement::Merge(merge) => dml::merge(self.session(user, database), merge)?,
            other => {
                let mut ddl = Ddl { world, catalog: &mut self.catalog, user, database };
                match other {
                    Statement::CreateTable(create) => ddl.create_table(create, attributes)?,
                    Statement::CreateView(create) => {
                        ddl.create_view(create, view_query.unwrap_or_default())?;
                        0
                    }
                    Statement::CreateSchema { schema_name, if_not_exists, .. } => {
                        ddl.create_schema(schema_name, *if_not_exists)?;
                        0
                    }
                    Statement::Drop { object_type, if_exists, names, cascade, .. } => {
                        ddl.drop(*object_type, names, *if_exists, *cascade)?;
                        0
                    }
                    Statement::Truncate(truncate) => {
                        let names: Vec<_> =
                            truncate.table_names.iter().map(|target| target.name.clone()).collect();
                        ddl.truncate(&names)?;
                        0
                    }
                    Statement::AlterTable(alter) => {
                        ddl.alter_table(alter)?;
                        0
                    }
                    _ => return unsupported(first_words(other)),
                }
            }
        };
        Ok(ResultSet { affected, ..ResultSet::default() })
    }

    /// SHOW in its Redshift forms, as queries over the system views.
    fn show(
        &mut self,
        user: &str,
        database: &str,
        cursor: &mut Cursor,
    ) -> Result<ResultSet, SqlError> {
        let (select, names): (&str, Vec<(&str, String)>) = if cursor.accept("DATABASES") {
            (
                "SELECT database_name, database_owner, database_type FROM svv_redshift_databases",
                vec![],
            )
        } else if cursor.accept("SCHEMAS FROM DATABASE") {
            let name = cursor.name()?;
            self.catalog.database(&name)?;
            (
                "SELECT database_name, schema_name, schema_owner, schema_type FROM svv_all_schemas",
                vec![("database_name", name)],
            )
        } else if cursor.accept("TABLES FROM SCHEMA") {
            let names = placed(cursor.dotted_name()?, database, ["database_name", "schema_name"])?;
            self.catalog.schema(&names[0].1, &names[1].1)?;
            ("SELECT database_name, schema_name, table_name, table_type FROM svv_all_tables", names)
        } else if cursor.accept("COLUMNS FROM TABLE") {
            let parts = cursor.dotted_name()?;
            let name = self.catalog.resolve(user, database, &parts)?;
            let names = vec![
                ("database_name", name.database),
                ("schema_name", name.schema),
                ("table_name", name.name),
            ];
            (
                "SELECT database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale FROM svv_all_columns",
                names,
            )
        } else if cursor.accept("VIEW") {
            let parts = cursor.dotted_name()?;
            let name = self.catalog.resolve(user, database, &parts)?;
            let RelationKind::View { query, .. } = &self.catalog.relation(&name)?.kind else {
                return Err(SqlError::new(format!("\"{}\" is not a view", name.name)));
            };
            let sql = format!("SELECT {} AS \"Show View DDL statement\"", sql_literal(query));
            return self.query_text(user, database, &sql);
        } else if cursor.accept("SEARCH_PATH") {
            return self.query_text(user, database, "SELECT '$user, public' AS search_path");
        } else {
            return unsupported(format!("SHOW {}", cursor.rest()));
        };
        let pattern = if cursor.accept("LIKE") { Some(cursor.string()?) } else { None };
        cursor.end()?;
        let mut conditions: Vec<String> = names
            .into_iter()
            .map(|(column, value)| format!("{column} = {}", sql_literal(&value)))
            .collect();
        if let Some(pattern) = pattern {
            let subject = if select.contains("schema_name, table_name") {
                "table_name"
            } else {
                "schema_name"
            };
            conditions.push(format!("{subject} LIKE {}", sql_literal(&pattern)));
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        self.query_text(user, database, &format!("{select}{condition}"))
    }

    fn query_text(&self, user: &str, database: &str, sql: &str) -> Result<ResultSet, SqlError> {
        let counter = Cell::new(0);
        let query = parse::query(sql)?;
        let compiled = Compiler::new(self.session(user, database), &counter).query(&query)?;
        run_query(self.world, &compiled)
    }
}

/// A literal in Redshift's text, where a backslash escapes.
fn sql_literal(text: &str) -> String {
    literal(&text.replace('\\', "\\\\"))
}

/// A schema's name with its database, each with the column it is compared with.
fn placed(
    mut parts: Vec<String>,
    database: &str,
    columns: [&'static str; 2],
) -> Result<Vec<(&'static str, String)>, SqlError> {
    if parts.len() == 1 {
        parts.insert(0, database.to_owned());
    }
    if parts.len() != 2 {
        return Err(SqlError::new("a schema's name has one or two parts"));
    }
    Ok(columns.into_iter().zip(parts).collect())
}

/// Settings end with their statement's session, so that one which cannot change a result is as good
/// as done; those that could are refused.
fn setting(cursor: &Cursor) -> Result<ResultSet, SqlError> {
    let Token::Word(word) = cursor.peek() else { return Err(near(cursor.peek())) };
    match word.value.to_lowercase().as_str() {
        "query_group"
        | "statement_timeout"
        | "timezone"
        | "enable_result_cache_for_session"
        | "analyze_threshold_percent"
        | "application_name"
        | "wlm_query_slot_count" => Ok(ResultSet::default()),
        other => unsupported(format!("SET {other}")),
    }
}

/// Whether the statement creates this kind of thing.
fn creates(tokens: &Tokens, kind: &str) -> bool {
    let mut words = tokens.0.iter().map(|token| &token.token);
    words.next().is_some_and(|first| is_word(first, "CREATE"))
        && words
            .find(|word| {
                !["OR", "REPLACE", "TEMP", "TEMPORARY", "LOCAL"]
                    .iter()
                    .any(|skip| is_word(word, skip))
            })
            .is_some_and(|word| is_word(word, kind))
}

/// The query of a CREATE VIEW: what is behind the AS, without WITH NO SCHEMA BINDING.
fn view_text(tokens: &Tokens) -> String {
    let all: Vec<&Token> = tokens.0.iter().map(|token| &token.token).collect();
    let start = all.iter().position(|token| is_word(token, "AS")).map_or(0, |index| index + 1);
    let mut end = all.len();
    if let [.., with, no, schema, binding] = all[..]
        && is_word(with, "WITH")
        && is_word(no, "NO")
        && is_word(schema, "SCHEMA")
        && is_word(binding, "BINDING")
    {
        end -= 4;
    }
    let mut text = String::new();
    for token in &all[start..end.max(start)] {
        let tight =
            matches!(token, Token::Period | Token::Comma | Token::RParen | Token::DoubleColon)
                || text.ends_with(['.', '('])
                || text.ends_with("::");
        if !text.is_empty() && !tight {
            text.push(' ');
        }
        text.push_str(&match token {
            Token::SingleQuotedString(value) => sql_literal(value),
            other => other.to_string(),
        });
    }
    text
}

/// The target of a SELECT INTO, and the query without it.
fn into(query: &Query) -> Option<(ObjectName, Query)> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let target = match select.into.as_ref()?.targets.first()? {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        _ => return None,
    };
    let mut without = query.clone();
    if let SetExpr::Select(select) = without.body.as_mut() {
        select.into = None;
    }
    Some((ObjectName::from(target), without))
}

/// The words that a statement begins with, which name it.
fn first_words(statement: &Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text
        .split_whitespace()
        .take_while(|word| word.chars().all(|character| character.is_ascii_uppercase()))
        .collect();
    if words.is_empty() { "this statement".to_owned() } else { words.join(" ") }
}
