//! Standard output and error: the result on the one, everything else on the other.
//!
//! Nothing here panics when the other end of a pipe has gone: what is left to say is not said, and
//! what is being done goes on.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::mpsc;
use std::time::Duration;

use serde::Serialize;

/// A line or more of the result.
pub(crate) fn out(text: &str) {
    write_to(io::stdout().lock(), text);
}

/// A line or more for the person.
pub(crate) fn err(text: &str) {
    write_to(io::stderr().lock(), text);
}

/// A text that brings its own line ends.
pub(crate) fn out_exactly(text: &str) {
    let mut stdout = io::stdout().lock();
    // A closed pipe means that nobody reads on.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn write_to(mut stream: impl io::Write, text: &str) {
    // A closed pipe means that nobody reads on.
    let _ = writeln!(stream, "{text}").and_then(|()| stream.flush());
}

/// The one document of a query.
pub(crate) fn document(value: &impl Serialize) {
    out(&serde_json::to_string_pretty(value).expect("a view is plain data"));
}

/// One object on one line.
pub(crate) fn json_line(value: &impl Serialize) {
    out(&serde_json::to_string(value).expect("a view is plain data"));
}

/// Whether a person is at both ends: questions can be shown and answered.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether progress may move and have colours.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether colours are wanted on stderr.
pub(crate) fn stderr_has_colours() -> bool {
    stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Asks a question on stderr and reads one line; nothing at the end of the input, or as soon as
/// `is_given_up` says so.
pub(crate) fn ask(question: &str, is_given_up: impl Fn() -> bool) -> Option<String> {
    let mut stderr = io::stderr().lock();
    // A terminal that went away answers nothing either.
    let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    drop(stderr);
    let (sender, receiver) = mpsc::channel();
    // The read cannot be interrupted, so it has a thread of its own that may outlive the question.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let answer = matches!(read, Ok(bytes) if bytes > 0).then(|| line.trim().to_owned());
        // Nobody listens any more once the question was given up.
        let _ = sender.send(answer);
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(answer) => return answer,
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) if is_given_up() => return None,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Asks for a line that is not shown while it is typed.
pub(crate) fn ask_secret(question: &str) -> Option<String> {
    let terminal = ::console::Term::stderr();
    terminal.write_str(&format!("{question} ")).ok()?;
    terminal.read_secure_line().ok().filter(|line| !line.is_empty())
}

/// Whether the person says yes.
pub(crate) fn confirm(question: &str) -> bool {
    ask(&format!("{question} [y/N]"), || false)
        .is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// A text of a script or of AWS, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.replace(obeyed, "\u{fffd}")
}

/// Rows under headings, each column as wide as its widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(|heading| heading.to_uppercase()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.pop();
    text
}

/// A word of a command line, quoted where the shell would read it otherwise.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{printable, shell_word, table};

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(shell_word("access#2"), "'access#2'");
        assert_eq!(shell_word("publisher"), "publisher");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn no_text_moves_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\n");
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["a".to_owned(), "long".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(table(&["x", "y"], &rows), "X    Y\na    long\nbcd");
    }
}
