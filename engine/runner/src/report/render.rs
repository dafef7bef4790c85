//! Report data into text: Markdown, JSON, one HTML file, or a template of the runbook's own.
//!
//! Values come from scripts and from AWS and are not trusted: HTML is escaped everywhere, and no
//! template can reach files, the network or the clock.

use std::str::FromStr;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use piton_core::ports::ProgramFile;
use piton_core::time::Span;

use super::Report;

const MARKDOWN: &str = include_str!("report.md.j2");
const HTML: &str = include_str!("report.html.j2");

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One self-contained file.
    Html,
    /// Markdown.
    Markdown,
    /// The data.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "html" => Ok(Self::Html),
            "md" | "markdown" => Ok(Self::Markdown),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is no form of a report: html, md or json")),
        }
    }
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// File name; its ending decides what is escaped: `report.html.j2`, `summary.md.j2`.
    pub name: String,
    /// Text.
    pub text: String,
}

/// A report that cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The template is wrong.
    #[error("the template {name} does not render{}: {reason}", .line.map_or_else(String::new, |line| format!(" (line {line})")))]
    Template {
        /// Its name.
        name: String,
        /// Line, where it is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The data has no JSON form.
    #[error("the report has no JSON form: {0}")]
    Json(#[from] serde_json::Error),
}

impl Template {
    /// The runbook's own template for a form, when its program has one.
    pub fn of_program(files: &[ProgramFile], format: Format) -> Option<Self> {
        let name = match format {
            Format::Html => "report.html.j2",
            Format::Markdown => "report.md.j2",
            Format::Json => return None,
        };
        files
            .iter()
            .find(|file| file.path == name)
            .map(|file| Self { name: name.to_owned(), text: file.text.clone() })
    }

    fn preset(format: Format) -> Self {
        let (name, text) = match format {
            Format::Html => ("report.html", HTML),
            Format::Markdown | Format::Json => ("report.md", MARKDOWN),
        };
        Self { name: name.to_owned(), text: text.to_owned() }
    }
}

impl Report {
    /// The report in a form; `template` replaces the preset one.
    ///
    /// # Errors
    /// When the template does not render.
    pub fn render(
        &self,
        format: Format,
        template: Option<Template>,
    ) -> Result<String, ReportError> {
        if format == Format::Json && template.is_none() {
            return Ok(serde_json::to_string_pretty(self)? + "\n");
        }
        let template = template.unwrap_or_else(|| Template::preset(format));
        render(&template, self)
    }
}

fn render(template: &Template, report: &Report) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| failed(&template.name, &error))?;
    environment.set_syntax(syntax);
    environment.add_filter("span", |millis: Option<u64>| {
        millis.map_or_else(String::new, |millis| Span::from_millis(millis).to_string())
    });
    environment.add_filter("moment", |text: Option<String>| {
        text.map_or_else(String::new, |text| moment(&text))
    });
    environment.add_filter("cell", |value: Value| cell(&value));
    environment.add_filter("md", |text: Value| markdown(&cell(&text)));
    environment.add_filter("json_text", |value: Value| json_text(&value));
    environment.add_filter("shorten", |text: String, most: usize| shorten(&text, most));
    environment.add_filter("fence", |text: String| fence(&text));
    environment
        .render_named_str(&template.name, &template.text, Serde(report))
        .map_err(|error| failed(&template.name, &error))
}

fn failed(name: &str, error: &minijinja::Error) -> ReportError {
    let reason = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    ReportError::Template { name: name.to_owned(), line: error.line(), reason }
}

/// `2026-01-31T12:00:00.5Z` as `2026-01-31 12:00:00 UTC`.
fn moment(text: &str) -> String {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let time = time.trim_end_matches('Z');
    let time = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    if time.is_empty() { date.to_owned() } else { format!("{date} {time} UTC") }
}

/// A value on one line: text as it is, nothing as nothing, the rest as JSON.
fn cell(value: &Value) -> String {
    if value.is_none() || value.is_undefined() {
        return String::new();
    }
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_string(value).unwrap_or_else(|_| value.to_string()),
    }
}

/// A value as indented JSON: plain text, which HTML escapes like any other.
fn json_text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// The beginning of a text that would be too long.
fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['\u{2026}']).collect()
}

/// Text inside a line or table of Markdown: what would have a meaning there is escaped.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("<br>"),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// A fence that the text cannot close.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut current = 0;
    for character in text.chars() {
        current = if character == '`' { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    "`".repeat((longest + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::{fence, markdown, moment};

    #[test]
    fn markdown_of_a_script_cannot_break_out() {
        assert_eq!(markdown("a|b\n<script>"), "a\\|b<br>\\<script\\>");
        assert_eq!(fence("x ```` y"), "`````");
        assert_eq!(fence("plain"), "```");
    }

    #[test]
    fn moments_are_short() {
        assert_eq!(moment("2026-01-31T12:00:00.5Z"), "2026-01-31 12:00:00 UTC");
    }
}
