//! From text to statements: tokens, parameters, and what sqlparser does not read of Redshift.
//!
//! Column and table attributes that only steer storage (ENCODE, DISTKEY, SORTKEY, ...) are taken out
//! of the tokens before parsing and kept for the catalog. [`Cursor`] reads by hand the statements
//! that never reach SQLite: grants, users, datashares.

use std::collections::BTreeMap;
use std::thread;

use sqlparser::ast::Statement;
use sqlparser::dialect::{GenericDialect, RedshiftSqlDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError, Word};

use super::SqlError;

const DIALECT: RedshiftSqlDialect = RedshiftSqlDialect {};

/// Which SQL a text is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Redshift's.
    #[default]
    Redshift,
    /// Athena's, which is Presto's with Hive's for definitions.
    Athena,
}

impl Dialect {
    fn parser<'p>(self) -> Parser<'p> {
        let parser = match self {
            Self::Redshift => Parser::new(&DIALECT),
            Self::Athena => Parser::new(&GenericDialect {}),
        };
        parser.with_recursion_limit(NESTING)
    }
}

/// How deep expressions and subqueries may nest: a bound on recursion, here and in the compiler.
const NESTING: usize = 60;

/// Stack of the thread that parses, in bytes: several times what `NESTING` takes.
const STACK: usize = 64 * 1024 * 1024;

/// The most operators in a statement: sqlparser makes a chain of them a tree as deep as the chain is
/// long, and taking that apart needs the stack.
const OPERATORS: usize = 2_000;

/// One statement's tokens, without white space and comments.
#[derive(Debug, Clone)]
pub(super) struct Tokens(pub(super) Vec<TokenWithSpan>);

/// Splits a text at its semicolons and puts the values of named parameters in.
pub(super) fn statements(
    sql: &str,
    parameters: &[(String, String)],
) -> Result<Vec<Tokens>, SqlError> {
    if sql.contains('\0') {
        return Err(SqlError::new("invalid byte sequence for encoding \"UTF8\": 0x00"));
    }
    let tokens = Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| tokenizer_error(&error))?;
    let statements = split(tokens).into_iter();
    Ok(statements.map(|tokens| Tokens(with_parameters(tokens, parameters))).collect())
}

/// Splits a text of Athena's at its semicolons.
pub(super) fn athena_statements(sql: &str) -> Result<Vec<Tokens>, SqlError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| tokenizer_error(&error))?;
    Ok(split(tokens).into_iter().map(Tokens).collect())
}

/// The tokens of each statement, without white space and comments; empty statements are none.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut statements = vec![];
    let mut current: Vec<TokenWithSpan> = vec![];
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => statements.push(std::mem::take(&mut current)),
            _ => current.push(token),
        }
    }
    statements.push(current);
    statements.retain(|tokens| !tokens.is_empty());
    statements
}

/// Replaces `:name` by the text given for it; a cast (`::name`) is another token.
fn with_parameters(
    tokens: Vec<TokenWithSpan>,
    parameters: &[(String, String)],
) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let value = match (&token.token, out.last().map(|last| &last.token)) {
            (Token::Word(word), Some(Token::Colon)) => parameter(&word.value, parameters),
            (Token::Placeholder(name), _) => parameter(name.trim_start_matches(':'), parameters),
            _ => None,
        };
        match value {
            Some(value) => {
                if matches!(out.last(), Some(last) if last.token == Token::Colon) {
                    out.pop();
                }
                let literal = Token::SingleQuotedString(value.to_owned());
                out.push(TokenWithSpan { token: literal, span: token.span });
            }
            None => out.push(token),
        }
    }
    out
}

fn parameter<'p>(name: &str, parameters: &'p [(String, String)]) -> Option<&'p str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The names of the `:parameters` that a text uses, or nothing when it is not SQL.
pub(crate) fn parameter_names(sql: &str) -> Vec<String> {
    let Ok(tokens) = Tokenizer::new(&DIALECT, sql).tokenize() else {
        return vec![];
    };
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [Token::Colon, Token::Word(word)] => Some(word.value.clone()),
            [Token::Placeholder(name), _] => name.strip_prefix(':').map(str::to_owned),
            _ => None,
        })
        .collect()
}

/// A text with the strings behind `PASSWORD` masked; one that is not SQL is masked whole when it
/// has the word.
pub(crate) fn without_passwords(sql: &str) -> String {
    if !sql.to_lowercase().contains("password") {
        return sql.to_owned();
    }
    let Ok(tokens) = Tokenizer::new(&DIALECT, sql).with_unescape(false).tokenize() else {
        return "[secret]".to_owned();
    };
    let mut behind = false;
    tokens
        .iter()
        .map(|token| match token {
            Token::SingleQuotedString(_) if behind => {
                behind = false;
                "'[secret]'".to_owned()
            }
            Token::Whitespace(_) => token.to_string(),
            other => {
                behind = is_word(other, "PASSWORD");
                other.to_string()
            }
        })
        .collect()
}

/// Parses one statement.
pub(super) fn parse(tokens: Tokens) -> Result<Statement, SqlError> {
    parse_in(Dialect::Redshift, tokens)
}

/// Parses one statement of a dialect.
pub(super) fn parse_in(dialect: Dialect, tokens: Tokens) -> Result<Statement, SqlError> {
    let tokens = without_hints(tokens.0);
    // A sign in a list links nothing.
    let links = tokens.windows(2).filter(|pair| {
        is_operator(&pair[1].token) && !matches!(pair[0].token, Token::Comma | Token::LParen)
    });
    if links.count() > OPERATORS {
        return Err(SqlError::new("statement is too complex"));
    }
    with_room(|| {
        let mut parser = dialect.parser().with_tokens_with_locations(tokens);
        let statement = parser.parse_statement().map_err(parser_error)?;
        match parser.peek_token().token {
            Token::EOF => Ok(statement),
            found => Err(near(&found)),
        }
    })
}

/// Parses on a thread of its own: sqlparser takes more stack for a nested query than a caller's
/// thread may have left.
fn with_room<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    thread::scope(|scope| {
        let started = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let Ok(parsing) = started.map(thread::ScopedJoinHandle::join) else {
            return Err(SqlError::new("out of memory"));
        };
        parsing.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Parses one expression, such as a column's default.
pub(super) fn expression(text: &str) -> Result<sqlparser::ast::Expr, SqlError> {
    with_room(|| {
        Dialect::Redshift
            .parser()
            .try_with_sql(text)
            .and_then(|mut parser| parser.parse_expr())
            .map_err(parser_error)
    })
}

/// Parses one query, such as a view's.
pub(super) fn query(text: &str) -> Result<Box<sqlparser::ast::Query>, SqlError> {
    query_in(Dialect::Redshift, text)
}

/// Parses one query of a dialect.
pub(super) fn query_in(
    dialect: Dialect,
    text: &str,
) -> Result<Box<sqlparser::ast::Query>, SqlError> {
    with_room(|| {
        dialect
            .parser()
            .try_with_sql(text)
            .and_then(|mut parser| parser.parse_query())
            .map_err(parser_error)
    })
}

/// `APPROXIMATE COUNT(DISTINCT ..)` counts exactly here.
fn without_hints(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let hints: Vec<bool> = (0..tokens.len())
        .map(|index| {
            is_word(&tokens[index].token, "APPROXIMATE")
                && tokens.get(index + 1).is_some_and(|next| {
                    is_word(&next.token, "COUNT") || is_word(&next.token, "PERCENTILE_DISC")
                })
        })
        .collect();
    tokens.into_iter().zip(hints).filter(|(_, hint)| !hint).map(|(token, _)| token).collect()
}

/// Whether a token may link two expressions.
fn is_operator(token: &Token) -> bool {
    ["AND", "OR", "LIKE", "ILIKE", "IS", "UNION", "INTERSECT", "EXCEPT", "MINUS"]
        .into_iter()
        .any(|word| is_word(token, word))
        || matches!(
            token,
            Token::Plus
                | Token::Minus
                | Token::Mul
                | Token::Div
                | Token::Mod
                | Token::Caret
                | Token::StringConcat
                | Token::Eq
                | Token::Neq
                | Token::Lt
                | Token::Gt
                | Token::LtEq
                | Token::GtEq
                | Token::DoubleColon
                | Token::Ampersand
                | Token::Pipe
                | Token::Tilde
        )
}

pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn tokenizer_error(error: &TokenizerError) -> SqlError {
    SqlError::new(format!("syntax error: {}", error.message))
}

fn parser_error(error: ParserError) -> SqlError {
    match error {
        ParserError::RecursionLimitExceeded => SqlError::new("statement is nested too deeply"),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            syntax_error(&message)
        }
    }
}

/// sqlparser says `Expected: X, found: Y at Line: 1, Column: 8`; Redshift says where it stopped.
fn syntax_error(message: &str) -> SqlError {
    let Some((_, found)) = message.split_once("found: ") else {
        return SqlError::new(format!("syntax error: {message}"));
    };
    let found = found.split(" at Line").next().unwrap_or(found);
    if found == "EOF" {
        return SqlError::new("syntax error at end of input");
    }
    SqlError::new(format!("syntax error at or near \"{found}\""))
}

/// The error at a token.
pub(super) fn near(token: &Token) -> SqlError {
    match token {
        Token::EOF => SqlError::new("syntax error at end of input"),
        token => SqlError::new(format!("syntax error at or near \"{token}\"")),
    }
}

/// What a CREATE TABLE says about storage, which sqlparser does not read.
#[derive(Debug, Default)]
pub(super) struct TableAttributes {
    /// Seed and step by column.
    pub(super) identity: BTreeMap<String, (i64, i64)>,
    pub(super) encoding: BTreeMap<String, String>,
    pub(super) diststyle: Option<String>,
    pub(super) distkey: Option<String>,
    pub(super) sortkey: Vec<String>,
}

/// Takes the storage attributes out of a CREATE TABLE.
pub(super) fn table_attributes(tokens: Tokens) -> Result<(Tokens, TableAttributes), SqlError> {
    let mut stripper =
        Stripper { tokens: tokens.0, at: 0, kept: vec![], found: TableAttributes::default() };
    stripper.run()?;
    Ok((Tokens(stripper.kept), stripper.found))
}

struct Stripper {
    tokens: Vec<TokenWithSpan>,
    at: usize,
    kept: Vec<TokenWithSpan>,
    found: TableAttributes,
}

impl Stripper {
    fn run(&mut self) -> Result<(), SqlError> {
        let mut depth = 0_usize;
        let mut column: Option<String> = None;
        let mut starts_column = false;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match &token.token {
                Token::LParen => {
                    depth += 1;
                    starts_column = depth == 1;
                }
                Token::RParen => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        column = None;
                    }
                }
                Token::Comma if depth == 1 => starts_column = true,
                // The query of a CREATE TABLE AS has none of these attributes.
                word if depth == 0 && is_word(word, "AS") => {
                    self.kept.extend_from_slice(&self.tokens[self.at..]);
                    return Ok(());
                }
                Token::Word(word) if depth <= 1 => {
                    if starts_column && depth == 1 {
                        column = Some(word.value.to_lowercase());
                        starts_column = false;
                    } else if word.quote_style.is_none()
                        && self.attribute(&word.value.to_uppercase(), column.as_deref())?
                    {
                        continue;
                    }
                }
                _ => {}
            }
            self.kept.push(token);
            self.at += 1;
        }
        Ok(())
    }

    /// Reads one attribute; says whether there was one, and then stands behind it.
    fn attribute(&mut self, word: &str, column: Option<&str>) -> Result<bool, SqlError> {
        match (word, column) {
            ("ENCODE", _) => {
                let encoding = self.word_at(self.at + 1).unwrap_or_default();
                if let Some(column) = column {
                    self.found.encoding.insert(column.to_owned(), encoding);
                }
                self.at += 2;
            }
            ("IDENTITY", Some(column)) => self.identity(column)?,
            ("GENERATED", Some(_)) => {
                // GENERATED BY DEFAULT AS IDENTITY(1,1): the four words go, the rest is read next.
                let identity = (self.at..self.at + 6)
                    .find(|index| self.word_at(*index).as_deref() == Some("identity"));
                match identity {
                    Some(index) => self.at = index,
                    None => return Ok(false),
                }
            }
            ("DISTSTYLE", None) => {
                self.found.diststyle = self.word_at(self.at + 1);
                self.at += 2;
            }
            ("DISTKEY", Some(column)) => {
                self.found.distkey = Some(column.to_owned());
                self.at += 1;
            }
            ("DISTKEY", None) => {
                self.at += 1;
                self.found.distkey = self.names().pop();
            }
            ("SORTKEY", Some(column)) => {
                self.found.sortkey.push(column.to_owned());
                self.at += 1;
            }
            ("SORTKEY", None) => {
                self.at += 1;
                if self.word_at(self.at).as_deref() == Some("auto") {
                    self.at += 1;
                } else {
                    self.found.sortkey = self.names();
                }
            }
            ("COMPOUND" | "INTERLEAVED", None) => self.at += 1,
            ("BACKUP", None) => self.at += 2,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn identity(&mut self, column: &str) -> Result<(), SqlError> {
        let text: String = self.tokens[self.at + 1..]
            .iter()
            .take_while(|token| token.token != Token::RParen)
            .map(|token| token.token.to_string())
            .collect();
        let numbers: Vec<i64> = text
            .trim_start_matches('(')
            .split(',')
            .map_while(|number| number.parse().ok())
            .collect();
        let [seed, step] = numbers[..] else {
            return Err(SqlError::new("syntax error at or near \"IDENTITY\""));
        };
        self.found.identity.insert(column.to_owned(), (seed, step));
        while self.tokens.get(self.at).is_some_and(|token| token.token != Token::RParen) {
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn word_at(&self, index: usize) -> Option<String> {
        match &self.tokens.get(index)?.token {
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    /// The names in the parentheses that come next.
    fn names(&mut self) -> Vec<String> {
        let mut names = vec![];
        if !matches!(self.tokens.get(self.at), Some(token) if token.token == Token::LParen) {
            return names;
        }
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match &token.token {
                Token::Word(word) => names.push(word.value.to_lowercase()),
                Token::RParen => break,
                _ => {}
            }
        }
        names
    }
}

/// Reads a statement word by word.
#[derive(Debug)]
pub(super) struct Cursor {
    tokens: Vec<Token>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(tokens: &Tokens) -> Self {
        Self { tokens: tokens.0.iter().map(|token| token.token.clone()).collect(), at: 0 }
    }

    /// The token that comes next.
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::EOF)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// How many tokens were taken.
    pub(super) fn taken(&self) -> usize {
        self.at
    }

    /// Takes these words when they all come next.
    pub(super) fn accept(&mut self, words: &str) -> bool {
        let mut count = 0;
        for word in words.split(' ') {
            if !self.tokens.get(self.at + count).is_some_and(|token| is_word(token, word)) {
                return false;
            }
            count += 1;
        }
        self.at += count;
        true
    }

    pub(super) fn expect(&mut self, words: &str) -> Result<(), SqlError> {
        if self.accept(words) { Ok(()) } else { Err(near(self.peek())) }
    }

    pub(super) fn accept_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        self.at += usize::from(found);
        found
    }

    /// A word, unquoted ones included, in upper case.
    pub(super) fn keyword(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Token::Word(Word { value, .. }) => Ok(value.to_uppercase()),
            token => Err(near(&token)),
        }
    }

    /// A name of one part, in lower case.
    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Token::Word(Word { value, .. }) => Ok(value.to_lowercase()),
            token => Err(near(&token)),
        }
    }

    /// A user's name: quoted ones keep their case, as `"IAMR:Analyst"` does.
    pub(super) fn user_name(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Token::Word(Word { value, quote_style: Some(_), .. }) => Ok(value),
            Token::Word(Word { value, .. }) => Ok(value.to_lowercase()),
            token => Err(near(&token)),
        }
    }

    /// A name of one to three parts, in lower case.
    pub(super) fn dotted_name(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.name()?];
        while self.accept_token(&Token::Period) {
            parts.push(self.name()?);
        }
        Ok(parts)
    }

    /// A quoted string.
    pub(super) fn string(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Token::SingleQuotedString(text) => Ok(text),
            token => Err(near(&token)),
        }
    }

    /// Refuses what is left.
    pub(super) fn end(&self) -> Result<(), SqlError> {
        match self.peek() {
            Token::EOF => Ok(()),
            token => Err(near(token)),
        }
    }

    /// What is left, as text.
    pub(super) fn rest(&self) -> String {
        let words: Vec<String> =
            self.tokens.iter().skip(self.at).map(ToString::to_string).collect();
        words.join(" ")
    }
}
