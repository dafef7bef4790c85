//! Where a run can be crashed, how, and which of those crashes are asked for.

use std::fmt;
use std::str::FromStr;

use piton_core::diagnostic::Place;
use serde::Serialize;

/// When the process dies, seen from a commit or from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The commit was about to be made: nothing of it is stored.
    BeforeWrite,
    /// The commit is stored, and nothing was done after it.
    AfterWrite,
    /// The intent is stored, and the call was not sent.
    BeforeSend,
    /// The call had its effect, and its reply came to nobody.
    ReplyLost,
    /// The reply came, and no outcome of it was stored.
    BeforeOutcome,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::BeforeWrite,
        Self::AfterWrite,
        Self::BeforeSend,
        Self::ReplyLost,
        Self::BeforeOutcome,
    ];

    /// The word on the command line and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeWrite => "before-write",
            Self::AfterWrite => "after-write",
            Self::BeforeSend => "before-send",
            Self::ReplyLost => "reply-lost",
            Self::BeforeOutcome => "before-outcome",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A commit, or a call that is sent.
#[derive(Debug, Clone)]
pub struct Boundary {
    /// Its number, from 1, in the order of the reference run.
    pub number: usize,
    /// Key of the last entry of the commit, or that the call belongs to; absent outside the script.
    pub key: Option<String>,
    /// The operation that is sent, `service.operation`; the kinds of the entries of a commit.
    pub what: String,
    /// Where the script makes the call; absent when it is no call of a script.
    pub place: Option<Place>,
    /// It is a call, not a commit.
    pub is_send: bool,
    /// The stored state before it, in [`super::Reference`].
    pub(super) before: usize,
    /// The stored state after it.
    pub(super) after: usize,
}

impl Boundary {
    /// The ways to crash here, each with the stored state that it leaves.
    pub(super) fn crashes(&self) -> Vec<(Kind, usize)> {
        let Self { before, after, .. } = *self;
        match self.is_send {
            false => vec![(Kind::BeforeWrite, before), (Kind::AfterWrite, after)],
            true => vec![
                (Kind::BeforeSend, before),
                (Kind::ReplyLost, after),
                (Kind::BeforeOutcome, after),
            ],
        }
    }
}

/// Which crashes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    Everywhere,
    /// None: the reference run alone.
    Nowhere,
    /// So many, spread evenly.
    Sample(usize),
    /// One kind at one boundary, by its number, or at every boundary of a key.
    At {
        /// Number of the boundary, or a key.
        place: String,
        /// How.
        kind: Kind,
    },
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "everywhere" => return Ok(Self::Everywhere),
            "none" => return Ok(Self::Nowhere),
            _ => {}
        }
        let wanted = "everywhere, none, sample:N, NUMBER:KIND or KEY:KIND";
        let (place, last) = text.rsplit_once(':').ok_or_else(|| format!("wanted: {wanted}"))?;
        if place == "sample" {
            let count = last.parse().map_err(|_| format!("`{last}` is no number of crashes"))?;
            return Ok(Self::Sample(count));
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == last).ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            format!("`{last}` is no kind of crash: {kinds}")
        })?;
        Ok(Self::At { place: place.to_owned(), kind })
    }
}

/// One crash: where, how, and what it leaves stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// Position in the list of boundaries.
    pub(super) boundary: usize,
    pub(super) kind: Kind,
    /// The stored state that it leaves.
    pub(super) state: usize,
}

impl Selection {
    /// The crashes that are asked for, in order.
    pub(super) fn of(&self, boundaries: &[Boundary]) -> Vec<Crash> {
        let all = boundaries.iter().enumerate().flat_map(|(boundary, at)| {
            at.crashes().into_iter().map(move |(kind, state)| Crash { boundary, kind, state })
        });
        match self {
            Self::Everywhere => all.collect(),
            Self::Nowhere => Vec::new(),
            Self::Sample(count) => {
                let all: Vec<Crash> = all.collect();
                let count = (*count).min(all.len());
                (0..count).map(|index| all[index * all.len() / count]).collect()
            }
            Self::At { place, kind } => {
                let is_there = |at: &Boundary| {
                    at.number.to_string() == *place || at.key.as_deref() == Some(place)
                };
                all.filter(|crash| crash.kind == *kind && is_there(&boundaries[crash.boundary]))
                    .collect()
            }
        }
    }
}
