//! Athena's statements: queries, what makes and removes tables, and what tells of them.

use std::collections::BTreeMap;

use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::LakeQuery;
use super::external::{self, ExternalTable};
use crate::sql::SqlError;
use crate::sql::compile::unsupported;
use crate::sql::parse::{self, Cursor, Dialect, Tokens, near};
use crate::sql::relation;

/// One to three parts of a name, in lower case.
pub(crate) type Name = Vec<String>;

/// Values of the columns that a table is partitioned by, by their names.
pub(crate) type PartitionSpec = Vec<(String, String)>;

/// What a statement is to Athena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Makes, changes or removes something.
    Ddl,
    /// Reads or writes rows.
    Dml,
    /// Tells about something.
    Utility,
}

/// A value of a table property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Property {
    /// A text, a number or a truth.
    One(String),
    /// `ARRAY['a', 'b']`.
    List(Vec<String>),
}

/// What a SHOW or DESCRIBE asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Show {
    /// The databases, by a pattern.
    Databases(Option<String>),
    /// The tables of a database, by a pattern.
    Tables(Option<String>, Option<String>),
    /// The views of a database, by a pattern.
    Views(Option<String>, Option<String>),
    /// The columns of a table.
    Columns(Name),
    /// The partitions of a table.
    Partitions(Name),
    /// The statement that makes a table.
    CreateTable(Name),
    /// The statement that makes a view.
    CreateView(Name),
    /// A table's columns with their types.
    Describe(Name),
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// SELECT, WITH, VALUES.
    Query(LakeQuery),
    /// INSERT INTO.
    Insert { table: Name, columns: Vec<String>, query: LakeQuery },
    /// CREATE TABLE AS.
    CreateTableAs {
        table: Name,
        if_not_exists: bool,
        properties: BTreeMap<String, Property>,
        query: LakeQuery,
        with_data: bool,
    },
    /// CREATE EXTERNAL TABLE.
    CreateExternalTable { table: Name, if_not_exists: bool, definition: Box<ExternalTable> },
    /// CREATE VIEW.
    CreateView { view: Name, or_replace: bool, query: LakeQuery },
    /// CREATE DATABASE.
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        comment: Option<String>,
        location: Option<String>,
        properties: BTreeMap<String, String>,
    },
    /// DROP DATABASE.
    DropDatabase { name: String, if_exists: bool, cascade: bool },
    /// DROP TABLE.
    DropTable { table: Name, if_exists: bool },
    /// DROP VIEW.
    DropView { view: Name, if_exists: bool },
    /// ALTER TABLE ADD PARTITION: values and, where it is given, the place of each.
    AddPartitions {
        table: Name,
        if_not_exists: bool,
        partitions: Vec<(PartitionSpec, Option<String>)>,
    },
    /// ALTER TABLE DROP PARTITION.
    DropPartitions { table: Name, if_exists: bool, partitions: Vec<PartitionSpec> },
    /// ALTER TABLE SET TBLPROPERTIES.
    SetProperties { table: Name, properties: BTreeMap<String, String> },
    /// ALTER TABLE SET LOCATION.
    SetLocation { table: Name, location: String },
    /// MSCK REPAIR TABLE.
    Repair(Name),
    /// SHOW and DESCRIBE.
    Show(Show),
}

impl Statement {
    /// What it is to Athena.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Query(_) | Self::Insert { .. } => Kind::Dml,
            Self::Show(_) => Kind::Utility,
            _ => Kind::Ddl,
        }
    }

    /// Athena's finer word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Query(_) => "SELECT",
            Self::Insert { .. } => "INSERT",
            Self::CreateTableAs { .. } => "CREATE_TABLE_AS_SELECT",
            Self::CreateExternalTable { .. } => "CREATE_TABLE",
            Self::CreateView { .. } => "CREATE_VIEW",
            Self::CreateDatabase { .. } => "CREATE_DATABASE",
            Self::DropDatabase { .. } => "DROP_DATABASE",
            Self::DropTable { .. } => "DROP_TABLE",
            Self::DropView { .. } => "DROP_VIEW",
            Self::AddPartitions { .. }
            | Self::DropPartitions { .. }
            | Self::SetProperties { .. }
            | Self::SetLocation { .. } => "ALTER_TABLE",
            Self::Repair(_) => "MSCK_REPAIR_TABLE",
            Self::Show(Show::Databases(_)) => "SHOW_DATABASES",
            Self::Show(Show::Tables(..)) => "SHOW_TABLES",
            Self::Show(Show::Views(..)) => "SHOW_VIEWS",
            Self::Show(Show::Columns(_)) => "SHOW_COLUMNS",
            Self::Show(Show::Partitions(_)) => "SHOW_PARTITIONS",
            Self::Show(Show::CreateTable(_)) => "SHOW_CREATE_TABLE",
            Self::Show(Show::CreateView(_)) => "SHOW_CREATE_VIEW",
            Self::Show(Show::Describe(_)) => "DESCRIBE_TABLE",
        }
    }
}

/// Statements that Athena has and the sandbox does not, with the reason where there is one to give.
const REFUSED: [(&str, &str); 11] = [
    ("EXPLAIN", ""),
    ("UNLOAD", ""),
    ("PREPARE", ""),
    ("EXECUTE", ""),
    ("DEALLOCATE", ""),
    ("DELETE", ": it needs an Iceberg table"),
    ("UPDATE", ": it needs an Iceberg table"),
    ("MERGE", ": it needs an Iceberg table"),
    ("OPTIMIZE", ": it needs an Iceberg table"),
    ("VACUUM", ": it needs an Iceberg table"),
    ("ALTER DATABASE", ""),
];

/// Puts the values of an execution's parameters in the place of its question marks.
pub(crate) fn with_parameters(sql: &str, values: &[String]) -> Result<String, SqlError> {
    let mut values = values.iter();
    let mut text = String::with_capacity(sql.len());
    let mut quote = None;
    for letter in sql.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, '?') => {
                let missing = || SqlError::new("Incorrect number of parameters");
                text.push_str(&as_literal(values.next().ok_or_else(missing)?));
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    match values.next() {
        None => Ok(text),
        Some(_) => Err(SqlError::new("Incorrect number of parameters")),
    }
}

/// A parameter is written as a literal, or stands for the text that it is.
fn as_literal(value: &str) -> String {
    let literal = value.parse::<f64>().is_ok()
        || matches!(value.to_lowercase().as_str(), "true" | "false" | "null")
        || value.ends_with('\'') && value.contains('\'');
    if literal { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

/// Reads one statement.
pub(crate) fn parse(sql: &str) -> Result<Statement, SqlError> {
    let mut statements = parse::athena_statements(sql)?;
    let (Some(tokens), true) = (statements.pop(), statements.is_empty()) else {
        return Err(SqlError::new("Only one sql statement is allowed"));
    };
    let mut reader = Reader { cursor: Cursor::new(&tokens), tokens: tokens.0 };
    let statement = reader.statement()?;
    reader.cursor.end()?;
    Ok(statement)
}

/// Reads a statement word by word, and queries by the parser.
pub(super) struct Reader {
    pub(super) cursor: Cursor,
    tokens: Vec<TokenWithSpan>,
}

impl Reader {
    fn statement(&mut self) -> Result<Statement, SqlError> {
        for (words, reason) in REFUSED {
            if self.cursor.accept(words) {
                return unsupported::<Statement>(words)
                    .map_err(|error| SqlError::new(format!("{}{reason}", error.message)));
            }
        }
        let cursor = &mut self.cursor;
        if cursor.accept("CREATE") {
            self.create()
        } else if cursor.accept("DROP") {
            self.drop()
        } else if cursor.accept("ALTER TABLE") {
            self.alter()
        } else if cursor.accept("MSCK REPAIR TABLE") {
            Ok(Statement::Repair(cursor.dotted_name()?))
        } else if cursor.accept("SHOW") {
            self.show().map(Statement::Show)
        } else if cursor.accept("DESCRIBE") || cursor.accept("DESC") {
            let _ = cursor.accept("EXTENDED") || cursor.accept("FORMATTED");
            Ok(Statement::Show(Show::Describe(cursor.dotted_name()?)))
        } else if cursor.accept("INSERT INTO") {
            self.insert()
        } else {
            self.query().map(Statement::Query)
        }
    }

    /// What is left, as a query.
    fn query(&mut self) -> Result<LakeQuery, SqlError> {
        let rest = self.tokens.split_off(self.cursor.taken().min(self.tokens.len()));
        if rest.is_empty() {
            return Err(near(&Token::EOF));
        }
        self.cursor = Cursor::new(&Tokens(Vec::new()));
        match parse::parse_in(Dialect::Athena, Tokens(rest))? {
            ast::Statement::Query(query) => Ok(LakeQuery::new(query)),
            other => unsupported(format!("the statement {other}")),
        }
    }

    fn create(&mut self) -> Result<Statement, SqlError> {
        let or_replace = self.cursor.accept("OR REPLACE");
        if self.cursor.accept("VIEW") {
            let view = self.cursor.dotted_name()?;
            self.cursor.expect("AS")?;
            return Ok(Statement::CreateView { view, or_replace, query: self.query()? });
        }
        if or_replace {
            return Err(near(self.cursor.peek()));
        }
        if self.cursor.accept("DATABASE") || self.cursor.accept("SCHEMA") {
            return self.create_database();
        }
        let external = self.cursor.accept("EXTERNAL");
        self.cursor.expect("TABLE")?;
        let if_not_exists = self.cursor.accept("IF NOT EXISTS");
        let table = self.cursor.dotted_name()?;
        if external {
            let definition = Box::new(external::read(self)?);
            return Ok(Statement::CreateExternalTable { table, if_not_exists, definition });
        }
        let mut properties = BTreeMap::new();
        if self.cursor.accept("WITH") {
            properties = self.with_properties()?;
        }
        if !self.cursor.accept("AS") {
            return unsupported("CREATE TABLE without EXTERNAL and without AS, an Iceberg table,");
        }
        let with_data = self.take_no_data();
        let query = self.query()?;
        Ok(Statement::CreateTableAs { table, if_not_exists, properties, query, with_data })
    }

    /// Takes WITH DATA and WITH NO DATA from the end; whether there is to be data.
    fn take_no_data(&mut self) -> bool {
        let words: Vec<String> = self
            .tokens
            .iter()
            .rev()
            .take(3)
            .map(|token| token.token.to_string().to_uppercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (count, with_data) = match &words[..] {
            ["DATA", "NO", "WITH"] => (3, false),
            ["DATA", "WITH", ..] => (2, true),
            _ => (0, true),
        };
        self.tokens.truncate(self.tokens.len() - count);
        with_data
    }

    /// `(name = value, ...)`.
    fn with_properties(&mut self) -> Result<BTreeMap<String, Property>, SqlError> {
        let mut properties = BTreeMap::new();
        let cursor = &mut self.cursor;
        expect(cursor, &Token::LParen)?;
        loop {
            let name = cursor.name()?;
            expect(cursor, &Token::Eq)?;
            let value = if cursor.accept("ARRAY") {
                expect(cursor, &Token::LBracket)?;
                let mut list = Vec::new();
                while !cursor.accept_token(&Token::RBracket) {
                    list.push(cursor.string()?);
                    let _ = cursor.accept_token(&Token::Comma);
                }
                Property::List(list)
            } else {
                Property::One(match cursor.next() {
                    Token::SingleQuotedString(text) | Token::Number(text, _) => text,
                    Token::Word(word) => word.value,
                    other => return Err(near(&other)),
                })
            };
            properties.insert(name, value);
            if !cursor.accept_token(&Token::Comma) {
                break;
            }
        }
        expect(cursor, &Token::RParen)?;
        Ok(properties)
    }

    fn create_database(&mut self) -> Result<Statement, SqlError> {
        let cursor = &mut self.cursor;
        let if_not_exists = cursor.accept("IF NOT EXISTS");
        let name = cursor.name()?;
        let comment = if cursor.accept("COMMENT") { Some(cursor.string()?) } else { None };
        let location = if cursor.accept("LOCATION") { Some(cursor.string()?) } else { None };
        let mut properties = BTreeMap::new();
        if cursor.accept("WITH DBPROPERTIES") {
            properties = pairs(cursor)?;
        }
        Ok(Statement::CreateDatabase { name, if_not_exists, comment, location, properties })
    }

    fn drop(&mut self) -> Result<Statement, SqlError> {
        let cursor = &mut self.cursor;
        if cursor.accept("DATABASE") || cursor.accept("SCHEMA") {
            let if_exists = cursor.accept("IF EXISTS");
            let name = cursor.name()?;
            let cascade = cursor.accept("CASCADE");
            let _ = cursor.accept("RESTRICT");
            return Ok(Statement::DropDatabase { name, if_exists, cascade });
        }
        let is_view = cursor.accept("VIEW");
        if !is_view {
            cursor.expect("TABLE")?;
        }
        let if_exists = cursor.accept("IF EXISTS");
        let name = cursor.dotted_name()?;
        Ok(match is_view {
            true => Statement::DropView { view: name, if_exists },
            false => Statement::DropTable { table: name, if_exists },
        })
    }

    fn alter(&mut self) -> Result<Statement, SqlError> {
        let cursor = &mut self.cursor;
        let table = cursor.dotted_name()?;
        if cursor.accept("ADD") {
            let if_not_exists = cursor.accept("IF NOT EXISTS");
            let mut partitions = Vec::new();
            while cursor.accept("PARTITION") {
                let spec = partition(cursor)?;
                let location =
                    if cursor.accept("LOCATION") { Some(cursor.string()?) } else { None };
                partitions.push((spec, location));
            }
            if partitions.is_empty() {
                return unsupported(format!("ALTER TABLE ADD {}", cursor.rest()));
            }
            return Ok(Statement::AddPartitions { table, if_not_exists, partitions });
        }
        if cursor.accept("DROP") {
            let if_exists = cursor.accept("IF EXISTS");
            let mut partitions = Vec::new();
            while cursor.accept("PARTITION") {
                partitions.push(partition(cursor)?);
                let _ = cursor.accept_token(&Token::Comma);
            }
            return Ok(Statement::DropPartitions { table, if_exists, partitions });
        }
        if cursor.accept("SET TBLPROPERTIES") {
            return Ok(Statement::SetProperties { table, properties: pairs(cursor)? });
        }
        if cursor.accept("SET LOCATION") {
            return Ok(Statement::SetLocation { table, location: cursor.string()? });
        }
        unsupported(format!("ALTER TABLE {}", cursor.rest()))
    }

    fn show(&mut self) -> Result<Show, SqlError> {
        let cursor = &mut self.cursor;
        let within = |cursor: &mut Cursor| -> Result<Option<String>, SqlError> {
            let named = cursor.accept("IN") || cursor.accept("FROM");
            if named { Ok(cursor.dotted_name()?.pop()) } else { Ok(None) }
        };
        let pattern = |cursor: &mut Cursor| -> Result<Option<String>, SqlError> {
            let _ = cursor.accept("LIKE");
            match cursor.peek() {
                Token::EOF => Ok(None),
                _ => cursor.string().map(Some),
            }
        };
        if cursor.accept("DATABASES") || cursor.accept("SCHEMAS") {
            return Ok(Show::Databases(pattern(cursor)?));
        }
        if cursor.accept("TABLES") {
            return Ok(Show::Tables(within(cursor)?, pattern(cursor)?));
        }
        if cursor.accept("VIEWS") {
            return Ok(Show::Views(within(cursor)?, pattern(cursor)?));
        }
        if cursor.accept("COLUMNS") {
            if !cursor.accept("IN") {
                cursor.expect("FROM")?;
            }
            let mut name = cursor.dotted_name()?;
            if cursor.accept("IN") || cursor.accept("FROM") {
                name.insert(0, cursor.name()?);
            }
            return Ok(Show::Columns(name));
        }
        if cursor.accept("PARTITIONS") {
            return Ok(Show::Partitions(cursor.dotted_name()?));
        }
        if cursor.accept("CREATE TABLE") {
            return Ok(Show::CreateTable(cursor.dotted_name()?));
        }
        if cursor.accept("CREATE VIEW") {
            return Ok(Show::CreateView(cursor.dotted_name()?));
        }
        unsupported(format!("SHOW {}", cursor.rest()))
    }

    /// What is behind INSERT INTO: the parser reads it, since a list of columns looks like a query.
    fn insert(&mut self) -> Result<Statement, SqlError> {
        let tokens = Tokens(std::mem::take(&mut self.tokens));
        self.cursor = Cursor::new(&Tokens(Vec::new()));
        let ast::Statement::Insert(insert) = parse::parse_in(Dialect::Athena, tokens)? else {
            return unsupported("this INSERT");
        };
        let ast::TableObject::TableName(name) = &insert.table else {
            return unsupported("INSERT into anything but a table");
        };
        let Some(query) = insert.source else { return unsupported("INSERT without rows") };
        let columns = insert
            .columns
            .iter()
            .map(|column| Ok(relation::parts(column)?.pop().unwrap_or_default()))
            .collect::<Result<Vec<String>, SqlError>>()?;
        let table = relation::parts(name)?;
        Ok(Statement::Insert { table, columns, query: LakeQuery::new(query) })
    }
}

pub(super) fn expect(cursor: &mut Cursor, token: &Token) -> Result<(), SqlError> {
    if cursor.accept_token(token) { Ok(()) } else { Err(near(cursor.peek())) }
}

/// `('name' = 'value', ...)`.
pub(super) fn pairs(cursor: &mut Cursor) -> Result<BTreeMap<String, String>, SqlError> {
    let mut pairs = BTreeMap::new();
    expect(cursor, &Token::LParen)?;
    while !cursor.accept_token(&Token::RParen) {
        let name = quoted_text(cursor)?;
        expect(cursor, &Token::Eq)?;
        pairs.insert(name, quoted_text(cursor)?);
        let _ = cursor.accept_token(&Token::Comma);
    }
    Ok(pairs)
}

/// A string; in definitions double quotes are as good.
pub(super) fn quoted_text(cursor: &mut Cursor) -> Result<String, SqlError> {
    match cursor.next() {
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Ok(text),
        Token::Word(word) if word.quote_style == Some('"') => Ok(word.value),
        other => Err(near(&other)),
    }
}

/// `(year = '2024', month = 3)`.
fn partition(cursor: &mut Cursor) -> Result<PartitionSpec, SqlError> {
    let mut spec = Vec::new();
    expect(cursor, &Token::LParen)?;
    while !cursor.accept_token(&Token::RParen) {
        let name = cursor.name()?;
        expect(cursor, &Token::Eq)?;
        let value = match cursor.next() {
            Token::SingleQuotedString(text) | Token::Number(text, _) => text,
            other => return Err(near(&other)),
        };
        spec.push((name, value));
        let _ = cursor.accept_token(&Token::Comma);
    }
    Ok(spec)
}
