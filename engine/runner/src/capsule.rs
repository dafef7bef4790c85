//! A capsule: runs in a file, whole enough to be verified, and to go on elsewhere.
//!
//! It is lines of JSON, so that `head`, `grep` and `jq` read it: a first line that says what it is,
//! the runs with their programs and entries, the world of a rehearsal, and a last line with a digest
//! of all bytes before it. No key and no sealed value is in it. The form is docs/guide/transfer.md's
//! to describe.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use piton_core::canonical::Digest;
use piton_core::evidence::{Evidence, FORMAT as EVIDENCE_FORMAT, Flaw, Row};
use piton_core::ports::{Mail, ProgramFile, RunId};
use piton_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The form that this version writes, and the newest one it reads.
pub const FORMAT: u32 = 1;

/// Bytes of a world on one line.
const WORLD_CHUNK: usize = 48 * 1024;

/// A capsule, read or about to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Capsule {
    /// What it is.
    pub header: Header,
    /// The run first, then those that belong to it.
    pub runs: Vec<Carried>,
    /// The world of a rehearsal.
    pub world: Option<CarriedWorld>,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Form of the file.
    pub format: u32,
    /// Its id, which the entries of a hand-over name.
    pub id: String,
    /// The run that was exported.
    pub run: RunId,
    /// Its runs go on with whoever takes it over.
    pub hand_over: bool,
    /// Tells whether two homes have the same sealing key, and nothing else about it.
    pub key: String,
    /// Host that wrote it.
    pub host: String,
    /// When, by that machine's clock.
    pub at: Timestamp,
    /// Version of Piton that wrote it.
    pub version: String,
}

/// A run in a capsule.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Program and entries.
    pub evidence: Evidence,
    /// What was left for its driver, oldest first.
    pub mail: Vec<Mail>,
    /// Names of the locks that it holds.
    pub locks: Vec<String>,
    /// Names of the secrets that are sealed in the home it comes from.
    pub secrets: Vec<String>,
}

/// A sandbox's world in a capsule.
#[derive(Clone, PartialEq, Eq)]
pub struct CarriedWorld {
    /// Its stored name.
    pub name: String,
    /// Its file.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for CarriedWorld {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "world {} of {} bytes", self.name, self.bytes.len())
    }
}

/// Why a file is no capsule that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapsuleFlaw {
    /// Something else.
    #[error("it is not a capsule of `piton export`")]
    NotOne,
    /// From a newer version.
    #[error("it has the form {0}; this version of Piton reads up to {FORMAT}")]
    Newer(u32),
    /// Its end is missing.
    #[error("it is cut off: its last line is missing")]
    CutOff,
    /// A line that cannot be read.
    #[error("line {line} cannot be read: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A run's chain or program does not hold.
    #[error("run {run}: {flaw}")]
    Run {
        /// The run.
        run: RunId,
        /// What is wrong.
        flaw: Flaw,
    },
    /// The chains hold, but something beside them was changed.
    #[error("something in it outside of the entries was changed: its digest is another one")]
    Changed,
}

/// Every line of the file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Capsule(Header),
    Run {
        run: RunId,
        labels: Vec<(String, String)>,
        head: Digest,
        mail: Vec<Mail>,
        locks: Vec<String>,
        secrets: Vec<String>,
    },
    File(ProgramFile),
    Entry(Row),
    World {
        name: String,
        /// Base64 of the next part of its file.
        bytes: String,
    },
    End {
        /// Of all bytes before this line.
        digest: Digest,
    },
}

impl Capsule {
    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut text = Vec::new();
        for line in self.lines() {
            put(&mut text, &line)?;
        }
        let digest = Digest::of(&text);
        put(&mut text, &Line::End { digest })?;
        to.write_all(&text)
    }

    /// Every line but the last.
    fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Capsule(self.header.clone())];
        for carried in &self.runs {
            let Carried { evidence, mail, locks, secrets } = carried;
            lines.push(Line::Run {
                run: evidence.run.clone(),
                labels: evidence.labels.clone(),
                head: evidence.head,
                mail: mail.clone(),
                locks: locks.clone(),
                secrets: secrets.clone(),
            });
            lines.extend(evidence.files.iter().cloned().map(Line::File));
            lines.extend(evidence.entries.iter().cloned().map(Line::Entry));
        }
        if let Some(world) = &self.world {
            lines.extend(world.bytes.chunks(WORLD_CHUNK).map(|chunk| Line::World {
                name: world.name.clone(),
                bytes: BASE64.encode(chunk),
            }));
        }
        lines
    }

    /// Whether a file says of itself that it is a capsule.
    pub fn is_one(text: &[u8]) -> bool {
        text.starts_with(b"{\"line\":\"capsule\"")
    }

    /// Reads a file and verifies everything in it.
    ///
    /// # Errors
    /// The first flaw: of its form, then of a run, then of the whole.
    pub fn read(text: &[u8]) -> Result<Self, CapsuleFlaw> {
        if !Self::is_one(text) {
            return Err(CapsuleFlaw::NotOne);
        }
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
        let first = lines.next().map_or(text, |(_, line)| line);
        let header = match read_line(1, first) {
            Ok(Line::Capsule(header)) if header.format <= FORMAT => header,
            Ok(Line::Capsule(Header { format, .. })) => return Err(CapsuleFlaw::Newer(format)),
            Ok(_) => return Err(CapsuleFlaw::NotOne),
            // Another form may have another first line; its number is in the same place.
            Err(flaw) => return Err(format_of(first).map_or(flaw, CapsuleFlaw::Newer)),
        };
        let mut capsule = Self { header, runs: Vec::new(), world: None };
        let mut read = first.len();
        let mut digest = None;
        for (index, line) in lines {
            if digest.is_some() {
                let reason = "something comes after the last line".to_owned();
                return Err(CapsuleFlaw::Line { line: index + 1, reason });
            }
            if !line.ends_with(b"\n") {
                return Err(CapsuleFlaw::CutOff);
            }
            match read_line(index + 1, line)? {
                Line::End { digest: end } => digest = Some(end),
                line => {
                    capsule.take(index + 1, line)?;
                    read += line_length(text, read);
                }
            }
        }
        let Some(digest) = digest else { return Err(CapsuleFlaw::CutOff) };
        for carried in &capsule.runs {
            let run = carried.evidence.run.clone();
            carried.evidence.verify().map_err(|flaw| CapsuleFlaw::Run { run, flaw })?;
        }
        let leads =
            capsule.runs.first().is_some_and(|first| first.evidence.run == capsule.header.run);
        if !leads || Digest::of(&text[..read]) != digest {
            return Err(CapsuleFlaw::Changed);
        }
        Ok(capsule)
    }

    fn take(&mut self, number: usize, line: Line) -> Result<(), CapsuleFlaw> {
        let misplaced =
            || CapsuleFlaw::Line { line: number, reason: "it is not in its place".to_owned() };
        match line {
            Line::Run { run, labels, head, mail, locks, secrets } => {
                let (files, entries) = (Vec::new(), Vec::new());
                let format = EVIDENCE_FORMAT;
                let evidence = Evidence { format, run, labels, files, entries, head };
                self.runs.push(Carried { evidence, mail, locks, secrets });
            }
            Line::File(file) => {
                self.runs.last_mut().ok_or_else(misplaced)?.evidence.files.push(file);
            }
            Line::Entry(row) => {
                self.runs.last_mut().ok_or_else(misplaced)?.evidence.entries.push(row);
            }
            Line::World { name, bytes } => {
                let bytes = BASE64.decode(&bytes).map_err(|error| CapsuleFlaw::Line {
                    line: number,
                    reason: error.to_string(),
                })?;
                let world =
                    self.world.get_or_insert_with(|| CarriedWorld { name, bytes: Vec::new() });
                world.bytes.extend(bytes);
            }
            Line::Capsule(_) | Line::End { .. } => return Err(misplaced()),
        }
        Ok(())
    }
}

fn put(text: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

fn read_line(number: usize, line: &[u8]) -> Result<Line, CapsuleFlaw> {
    serde_json::from_slice(line)
        .map_err(|error| CapsuleFlaw::Line { line: number, reason: error.to_string() })
}

/// The number of a newer form.
fn format_of(line: &[u8]) -> Option<u32> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    let format = u32::try_from(line.get("format")?.as_u64()?).ok()?;
    (format > FORMAT).then_some(format)
}

fn line_length(text: &[u8], from: usize) -> usize {
    text[from..].iter().position(|byte| *byte == b'\n').map_or(text.len() - from, |end| end + 1)
}
