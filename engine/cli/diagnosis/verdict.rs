//! What a resume would come to, in a word.

use serde::Serialize;

/// What a resume would come to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It would go on.
    GoesOn,
    /// It would come to its end.
    Ends,
    /// It would wait again at once.
    Waits,
    /// Somebody cancelled it: it would end so.
    Cancels,
    /// The script would fail before anything new.
    Fails,
    /// A person has to settle a call in doubt.
    Doubt,
    /// The script asks for something else than was recorded.
    Mismatch,
    /// A call needs a secret that is not here.
    SecretMissing,
    /// Its secrets are sealed with a key that is not here.
    KeyMissing,
    /// An account is not configured, or piton.toml is wrong.
    Accounts,
    /// Its world is gone.
    WorldGone,
    /// This version cannot load its program.
    Program,
    /// Its journal cannot be read.
    Damaged,
    /// Another process drives it.
    Held,
    /// Another run takes it back.
    TakenBack,
    /// It goes on in another home.
    HandedOver,
    /// This home can only be read.
    ReadOnly,
    /// It has ended.
    Ended,
}

impl Verdict {
    /// The word that people and programs get.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::GoesOn => "goes_on",
            Self::Ends => "ends",
            Self::Waits => "waits",
            Self::Cancels => "cancels",
            Self::Fails => "fails",
            Self::Doubt => "doubt",
            Self::Mismatch => "mismatch",
            Self::SecretMissing => "secret_missing",
            Self::KeyMissing => "key_missing",
            Self::Accounts => "accounts",
            Self::WorldGone => "world_gone",
            Self::Program => "program",
            Self::Damaged => "damaged",
            Self::Held => "held",
            Self::TakenBack => "taken_back",
            Self::HandedOver => "handed_over",
            Self::ReadOnly => "read_only",
            Self::Ended => "ended",
        }
    }

    /// Nothing that can be seen from here stands in the way of a resume.
    pub(super) fn is_clean(self) -> bool {
        matches!(self, Self::GoesOn | Self::Ends | Self::Waits | Self::Cancels)
    }
}
