//! How entries are addressed: the path of steps and branches, and the place in it.
//!
//! A key never holds a source position or a generated name: a runbook may be reformatted while a run
//! of it waits. Its text is `path#n`: the names from the outermost to the innermost, joined by `/`,
//! then the number of the durable call in the innermost. The second step of one name in the same
//! place is `name[2]`. A branch of `parallel` is `[name]`, one of `parallel_map` its index, `[0]`;
//! those of the second group of branches in the same place are `[name][2]`. At the top of a runbook
//! the path is empty: `#0`. So `publish/[glue]/create#1` is the second call of the step `create` in
//! the branch `glue` that the step `publish` opened.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The address of an entry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// A key from its text, as a person or the journal has it.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, `path#n`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of steps, without the number.
    pub fn path(&self) -> &str {
        self.0.rsplit_once('#').map_or(self.0.as_str(), |(path, _)| path)
    }

    /// The path of the innermost branch that the entry belongs to; empty outside of branches.
    pub fn branch(&self) -> &str {
        branch_of(self.path())
    }
}

/// The path of the innermost branch in a path of steps and branches, or in the address of a gate;
/// empty outside of branches.
pub fn branch_of(path: &str) -> &str {
    let start = match path.rfind("/[") {
        Some(slash) => slash + 1,
        None if path.starts_with('[') => 0,
        None => return "",
    };
    let end = path[start..].find('/').map_or(path.len(), |length| start + length);
    &path[..end]
}

/// Whether a branch is `outer` or lies inside it.
pub fn is_within(branch: &str, outer: &str) -> bool {
    outer.is_empty()
        || branch.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name of a branch, as its author wrote it, from its path: `glue` of `publish/[glue][2]`.
pub fn branch_name(path: &str) -> String {
    let segment = path.rsplit('/').next().unwrap_or(path);
    let name = segment.strip_prefix('[').and_then(|rest| rest.split(']').next());
    unescape(name.unwrap_or(segment))
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// Where the evaluation of one branch stands: the open steps and the next number in each.
#[derive(Debug)]
pub struct Cursor {
    frames: Vec<Frame>,
    /// Steps and branches around the branch itself.
    around: usize,
}

#[derive(Debug, Default)]
struct Frame {
    path: String,
    next: u32,
    steps: HashMap<String, u32>,
    groups: u32,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { frames: vec![Frame::default()], around: 0 }
    }
}

impl Cursor {
    /// A cursor at the start of a branch; `path` is empty for the runbook itself.
    pub fn at(path: &str) -> Self {
        let around = path.split('/').filter(|segment| !segment.is_empty()).count();
        Self { frames: vec![Frame { path: path.to_owned(), ..Frame::default() }], around }
    }

    /// The path of the innermost open step.
    pub fn path(&self) -> &str {
        &self.top().path
    }

    /// How many steps and branches are open here, those around the branch included.
    pub fn depth(&self) -> usize {
        self.around + self.frames.len() - 1
    }

    /// The key of the next durable call here; the call after it gets the next number.
    pub fn next_key(&mut self) -> Key {
        let frame = self.top_mut();
        let key = Key(format!("{}#{}", frame.path, frame.next));
        frame.next += 1;
        key
    }

    /// Takes back the last [`Cursor::next_key`]: a `retry` repeats its call under one key.
    pub fn rewind(&mut self) {
        let frame = self.top_mut();
        assert!(frame.next > 0, "nothing was numbered here");
        frame.next -= 1;
    }

    /// Opens a step and returns its path.
    pub fn open_step(&mut self, name: &str) -> String {
        let name = escape(name);
        let frame = self.top_mut();
        let count = frame.steps.entry(name.clone()).or_insert(0);
        *count += 1;
        let segment = if *count == 1 { name } else { format!("{name}[{count}]") };
        let path = below(&frame.path, &segment);
        self.frames.push(Frame { path: path.clone(), ..Frame::default() });
        path
    }

    /// The paths of a group of branches that opens here, one for each name.
    pub fn open_branches(&mut self, names: &[String]) -> Vec<String> {
        let frame = self.top_mut();
        frame.groups += 1;
        let mark = if frame.groups == 1 { String::new() } else { format!("[{}]", frame.groups) };
        let path = |name: &String| below(&frame.path, &format!("[{}]{mark}", escape(name)));
        names.iter().map(path).collect()
    }

    /// Closes the innermost step.
    pub fn close_step(&mut self) {
        assert!(self.frames.len() > 1, "no step is open");
        self.frames.pop();
    }

    fn top(&self) -> &Frame {
        self.frames.last().expect("a cursor has the frame of its branch")
    }

    fn top_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a cursor has the frame of its branch")
    }
}

fn below(path: &str, segment: &str) -> String {
    if path.is_empty() { segment.to_owned() } else { format!("{path}/{segment}") }
}

/// A step name as one segment of a path: what has a meaning in a key is written `%xx`.
fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '/' | '#' | '[' | ']' | '%' => out.push_str(&format!("%{:02x}", character as u32)),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// A segment of a path as the author wrote the name.
pub fn unescape(segment: &str) -> String {
    ["/", "#", "[", "]", "%"].iter().fold(segment.to_owned(), |text, plain| {
        text.replace(&format!("%{:02x}", plain.as_bytes()[0]), plain)
    })
}
