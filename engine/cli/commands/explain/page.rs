//! How `piton explain` looks to a person: aligned, as wide as the terminal, coloured on one alone.

use std::fmt::Write as _;

use console::{Style, Term};
use piton_script::explain::{self, MemberView, OperationView};

use super::views::{FoundView, OperationRow, ServiceView, ServicesView};
use crate::console as out;

/// How wide a page is where there is no terminal to ask, and what it keeps to on a very narrow or a
/// very wide one.
const WIDTH: usize = 100;
const WIDTHS: (usize, usize) = (48, 140);
/// How many operations a search lists for a person.
const FOUND_MAX: usize = 20;
/// The column where the text of a fact begins.
const FACT: usize = 14;
/// How far the columns of members may reach before the rest gets too narrow.
const NAME_MAX: usize = 44;

/// What the page is written on.
struct Paper {
    width: usize,
    title: Style,
    name: Style,
    faint: Style,
}

impl Paper {
    fn of_stdout() -> Self {
        let terminal = Term::stdout();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_coloured = terminal.is_term() && !is_plain;
        let width = match terminal.size_checked() {
            Some((_, columns)) if terminal.is_term() => usize::from(columns),
            _ => WIDTH,
        };
        let style = || Style::new().force_styling(is_coloured);
        Self {
            width: width.clamp(WIDTHS.0, WIDTHS.1),
            title: style().bold(),
            name: style().cyan(),
            faint: style().dim(),
        }
    }

    /// A fact: what it is, and its text wrapped beside it.
    fn fact(&self, text: &mut String, what: &str, said: &str) {
        let lines = wrapped(said, self.width.saturating_sub(FACT));
        for (index, line) in lines.iter().enumerate() {
            let what = format!("{:FACT$}", if index == 0 { what } else { "" });
            push_line(text, &format!("{}{line}", self.faint.apply_to(what)));
        }
    }

    fn heading(&self, text: &mut String, heading: &str) {
        push_line(text, "");
        push_line(text, &self.title.apply_to(heading).to_string());
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The list of services.
pub(super) fn services(view: &ServicesView) -> String {
    let rows: Vec<Vec<String>> = view
        .services
        .iter()
        .map(|row| {
            let left_out = match row.left_out.len() {
                0 => String::new(),
                count => count.to_string(),
            };
            vec![row.service.to_owned(), row.operations.to_string(), left_out]
        })
        .collect();
    let paper = Paper::of_stdout();
    let mut text = out::table(&["service", "operations", "left out"], &rows);
    text.push('\n');
    let total: usize = view.services.iter().map(|row| row.operations).sum();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{total} operations of {} services", view.services.len());
    if !view.further.is_empty() {
        let further: Vec<String> = view
            .further
            .iter()
            .map(|row| format!("{} ({})", row.service, row.operations))
            .collect();
        let said = format!("by aws(A).service(NAME): {}", further.join(", "));
        for line in wrapped(&said, paper.width) {
            push_line(&mut text, &line);
        }
    }
    let gaps = view.services.iter().map(|row| (row.sdk.as_deref(), row.left_out));
    push_left_out(&paper, &mut text, gaps);
    text
}

/// What the models have and the SDK's crates have not, with the crate whose version is the reason.
fn push_left_out<'v>(
    paper: &Paper,
    text: &mut String,
    rows: impl Iterator<Item = (Option<&'v str>, &'v [&'v str])>,
) {
    let mut rows = rows.filter(|(_, left_out)| !left_out.is_empty()).peekable();
    if rows.peek().is_some() {
        paper.heading(
            text,
            "Left out: in the model, and not yet in this version of the SDK's crate",
        );
    }
    for (sdk, left_out) in rows {
        let said = format!("{}: {}", sdk.unwrap_or("no crate"), left_out.join(", "));
        for (index, line) in wrapped(&said, paper.width.saturating_sub(4)).iter().enumerate() {
            push_line(text, &format!("{}{line}", if index == 0 { "  " } else { "    " }));
        }
    }
}

/// The list of a service's operations.
pub(super) fn service(view: &ServiceView) -> String {
    let rows: Vec<Vec<String>> = view.operations.iter().map(|row| cells(row, false)).collect();
    let mut text = out::table(&["operation", "class", "pages", "taken back by"], &rows);
    text.push('\n');
    let gap = (view.sdk.as_deref(), view.left_out);
    push_left_out(&Paper::of_stdout(), &mut text, std::iter::once(gap));
    text
}

/// The operations that were found for some words.
pub(super) fn found(view: &FoundView) -> String {
    let shown = view.operations.iter().take(FOUND_MAX);
    let rows: Vec<Vec<String>> = shown.map(|row| cells(row, true)).collect();
    let mut text = out::table(&["operation", "class", "pages", "taken back by"], &rows);
    text.push('\n');
    let more = view.operations.len().saturating_sub(FOUND_MAX);
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nand {more} more; another word narrows it down");
    }
    text
}

fn cells(row: &OperationRow, with_service: bool) -> Vec<String> {
    let name = match with_service {
        true => format!("{}.{}", row.service, row.operation),
        false => row.operation.clone(),
    };
    let pages = if row.pages { "also _all" } else { "" };
    let inverse = row.inverse.clone().unwrap_or_default();
    vec![name, row.class.to_owned(), pages.to_owned(), inverse]
}

/// The page of an operation.
pub(super) fn operation(view: &OperationView) -> String {
    let paper = Paper::of_stdout();
    let mut text = String::new();
    let name = format!("{}.{}", view.service, view.operation);
    push_line(&mut text, &format!("{} ({})", paper.title.apply_to(name), view.aws_name));
    if view.deprecated {
        push_line(&mut text, "AWS advises against new uses.");
    }
    push_line(&mut text, "");
    for fact in explain::facts(view) {
        paper.fact(&mut text, fact.what, &fact.said);
    }
    let names = name_width(&view.input, 1).max(name_width(&view.output, 1)).min(NAME_MAX);
    for (title, members) in [("Input", &view.input), ("Output", &view.output)] {
        if !members.is_empty() {
            paper.heading(&mut text, title);
            push_members(&paper, &mut text, members, names, 1);
        }
    }
    if !view.errors.is_empty() {
        paper.heading(&mut text, "Errors");
        let width = view.errors.iter().map(|error| error.code.len()).max().unwrap_or(0);
        for error in &view.errors {
            push_line(&mut text, &format!("  {:width$}  {}", error.code, error.http_status));
        }
    }
    paper.heading(&mut text, "To paste");
    for line in view.snippet.lines() {
        push_line(&mut text, &format!("  {line}"));
    }
    text
}

fn name_width(members: &[MemberView], depth: usize) -> usize {
    members
        .iter()
        .map(|member| (2 * depth + member.name.len()).max(name_width(&member.members, depth + 1)))
        .max()
        .unwrap_or(0)
}

/// Each member on a line: name, type, whether it is required, what holds for its value. What does
/// not fit goes below the value's column.
fn push_members(
    paper: &Paper,
    text: &mut String,
    members: &[MemberView],
    names: usize,
    depth: usize,
) {
    for member in members {
        let indent = 2 * depth;
        let width = names.saturating_sub(indent).max(1);
        let name = format!("{:width$}", member.name);
        let column = indent + name.chars().count() + 2;
        let lines = wrapped(&explain::described(member), paper.width.saturating_sub(column));
        for (index, line) in lines.iter().enumerate() {
            let start = match index {
                0 => format!("{:indent$}{}  ", "", paper.name.apply_to(&name)),
                _ => " ".repeat(column),
            };
            push_line(text, &format!("{start}{line}"));
        }
        push_members(paper, text, &member.members, names, depth + 1);
    }
}

/// A text in lines of a width, broken at spaces; a word that is longer stays whole, so that it can be
/// copied.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("abcdefgh i", 4), ["abcdefgh", "i"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
