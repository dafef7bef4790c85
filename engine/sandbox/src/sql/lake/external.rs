//! CREATE EXTERNAL TABLE, as Hive defines it: columns, how rows are written, and where they are.

use std::collections::BTreeMap;

use sqlparser::tokenizer::Token;

use super::statement::{Reader, expect, pairs, quoted_text};
use crate::sql::SqlError;
use crate::sql::compile::unsupported;
use crate::sql::parse::{Cursor, near};

/// How a table's rows are written, by Hive's class names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    /// Reads files.
    pub(crate) input: String,
    /// Writes files.
    pub(crate) output: String,
    /// Turns what is read into rows.
    pub(crate) serde: String,
    /// What the last one wants to know.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// A table's definition.
#[derive(Debug, Clone)]
pub(crate) struct ExternalTable {
    /// Names, Hive types, comments.
    pub(crate) columns: Vec<(String, String, Option<String>)>,
    /// The columns that it is partitioned by.
    pub(crate) partitioned_by: Vec<(String, String, Option<String>)>,
    /// Comment.
    pub(crate) comment: Option<String>,
    /// How rows are written.
    pub(crate) format: Format,
    /// Where rows are.
    pub(crate) location: String,
    /// Properties.
    pub(crate) properties: BTreeMap<String, String>,
}

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const LAZY_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

impl Format {
    /// The format of this name in a `STORED AS` or a `format` property.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (input, output, serde) = match name.to_uppercase().as_str() {
            "PARQUET" => (
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            ),
            "ORC" => (
                "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
            ),
            "AVRO" => (
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
                "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
            ),
            "JSON" => (TEXT_INPUT, TEXT_OUTPUT, "org.apache.hive.hcatalog.data.JsonSerDe"),
            "TEXTFILE" => (TEXT_INPUT, TEXT_OUTPUT, LAZY_SERDE),
            _ => return None,
        };
        let owned = str::to_owned;
        let parameters = BTreeMap::from([("serialization.format".to_owned(), "1".to_owned())]);
        Some(Self { input: owned(input), output: owned(output), serde: owned(serde), parameters })
    }

    fn text() -> Self {
        Self {
            input: TEXT_INPUT.to_owned(),
            output: TEXT_OUTPUT.to_owned(),
            serde: LAZY_SERDE.to_owned(),
            parameters: BTreeMap::new(),
        }
    }
}

/// Reads what is behind the table's name.
pub(super) fn read(reader: &mut Reader) -> Result<ExternalTable, SqlError> {
    let cursor = &mut reader.cursor;
    let columns = columns(cursor)?;
    let mut table = ExternalTable {
        columns,
        partitioned_by: Vec::new(),
        comment: None,
        format: Format::text(),
        location: String::new(),
        properties: BTreeMap::new(),
    };
    if cursor.accept("COMMENT") {
        table.comment = Some(quoted_text(cursor)?);
    }
    if cursor.accept("PARTITIONED BY") {
        table.partitioned_by = self::columns(cursor)?;
    }
    if cursor.accept("CLUSTERED BY") {
        return unsupported("CLUSTERED BY");
    }
    row_format(cursor, &mut table.format)?;
    stored_as(cursor, &mut table.format)?;
    if cursor.accept("WITH SERDEPROPERTIES") {
        table.format.parameters.extend(pairs(cursor)?);
    }
    if cursor.accept("LOCATION") {
        table.location = quoted_text(cursor)?;
    }
    if cursor.accept("TBLPROPERTIES") {
        table.properties = pairs(cursor)?;
    }
    if table.properties.get("table_type").is_some_and(|kind| kind.eq_ignore_ascii_case("iceberg")) {
        return unsupported("an Iceberg table");
    }
    if table.location.is_empty() {
        return Err(SqlError::new("syntax error: missing 'LOCATION' of an external table"));
    }
    Ok(table)
}

fn columns(cursor: &mut Cursor) -> Result<Vec<(String, String, Option<String>)>, SqlError> {
    let mut columns = Vec::new();
    expect(cursor, &Token::LParen)?;
    loop {
        let name = cursor.name()?;
        let kind = hive_type(cursor)?;
        let comment = if cursor.accept("COMMENT") { Some(quoted_text(cursor)?) } else { None };
        columns.push((name, kind, comment));
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
    }
    expect(cursor, &Token::RParen)?;
    Ok(columns)
}

/// A type's text up to what cannot be part of it.
fn hive_type(cursor: &mut Cursor) -> Result<String, SqlError> {
    let mut text = String::new();
    let mut depth = 0_i32;
    loop {
        let token = cursor.peek().clone();
        let ends = match &token {
            Token::EOF => true,
            Token::Comma | Token::RParen => depth == 0,
            Token::Word(word) => {
                depth == 0 && !text.is_empty() && !text.ends_with(['<', ':'])
                    || depth == 0 && word.value.eq_ignore_ascii_case("comment")
            }
            _ => false,
        };
        if ends {
            break;
        }
        let part = token.to_string().to_lowercase();
        let (opened, closed) = (part.matches(['<', '(']).count(), part.matches(['>', ')']).count());
        depth += i32::try_from(opened).unwrap_or(0) - i32::try_from(closed).unwrap_or(0);
        text.push_str(&part);
        cursor.next();
    }
    if text.is_empty() { Err(near(cursor.peek())) } else { Ok(text) }
}

fn row_format(cursor: &mut Cursor, format: &mut Format) -> Result<(), SqlError> {
    if cursor.accept("ROW FORMAT SERDE") {
        format.serde = quoted_text(cursor)?;
        if cursor.accept("WITH SERDEPROPERTIES") {
            format.parameters = pairs(cursor)?;
        }
        return Ok(());
    }
    if !cursor.accept("ROW FORMAT DELIMITED") {
        return Ok(());
    }
    loop {
        let member = if cursor.accept("FIELDS TERMINATED BY") {
            "field.delim"
        } else if cursor.accept("ESCAPED BY") {
            "escape.delim"
        } else if cursor.accept("COLLECTION ITEMS TERMINATED BY") {
            "collection.delim"
        } else if cursor.accept("MAP KEYS TERMINATED BY") {
            "mapkey.delim"
        } else if cursor.accept("LINES TERMINATED BY") {
            "line.delim"
        } else if cursor.accept("NULL DEFINED AS") {
            "serialization.null.format"
        } else {
            return Ok(());
        };
        let value = unescaped(&quoted_text(cursor)?);
        if member == "field.delim" {
            format.parameters.insert("serialization.format".to_owned(), value.clone());
        }
        format.parameters.insert(member.to_owned(), value);
    }
}

/// A delimiter as it is written: `\t`, `\n`, `\001`.
fn unescaped(text: &str) -> String {
    match text {
        "\\t" => "\t".to_owned(),
        "\\n" => "\n".to_owned(),
        "\\\\" => "\\".to_owned(),
        octal if octal.len() == 4 && octal.starts_with('\\') => {
            let code = u32::from_str_radix(&octal[1..], 8).ok().and_then(char::from_u32);
            code.map_or_else(|| octal.to_owned(), String::from)
        }
        plain => plain.to_owned(),
    }
}

fn stored_as(cursor: &mut Cursor, format: &mut Format) -> Result<(), SqlError> {
    if !cursor.accept("STORED AS") {
        return Ok(());
    }
    if cursor.accept("INPUTFORMAT") {
        format.input = quoted_text(cursor)?;
        cursor.expect("OUTPUTFORMAT")?;
        format.output = quoted_text(cursor)?;
        return Ok(());
    }
    let name = cursor.keyword()?;
    let Some(named) = Format::named(&name) else {
        return unsupported(format!("STORED AS {name}"));
    };
    // A row format that was given stays.
    if format.serde == LAZY_SERDE {
        let given = std::mem::take(&mut format.parameters);
        *format = named;
        format.parameters.extend(given);
    } else {
        format.input = named.input;
        format.output = named.output;
    }
    Ok(())
}
