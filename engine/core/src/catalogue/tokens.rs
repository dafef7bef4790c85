//! How long AWS recognises an idempotency token: after that, the same token makes a second thing.
//!
//! The figures are data, `tokens.json`, each with where it comes from. What AWS does not publish is
//! assumed on the safe side.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::finder::CLOCK_SKEW;
use crate::time::{Span, Timestamp};

/// How long a token of a service is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenWindow {
    hours: Option<u64>,
    /// Where the figure comes from.
    pub source: String,
}

impl TokenWindow {
    /// How long; nothing when it does not end.
    pub fn lasts(&self) -> Option<Span> {
        self.hours.map(|hours| Span::from_secs(hours * 3600))
    }

    /// The same in words: `1h`, or `for good`.
    pub fn words(&self) -> String {
        self.hours.map_or_else(|| "for good".to_owned(), |hours| format!("{hours}h"))
    }

    /// Whether AWS still recognises a token that was sent first at `sent_at`. When the clock stands
    /// before that moment, nobody knows how old the token is: then it counts as forgotten.
    pub fn is_open(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        match self.lasts() {
            None => true,
            Some(lasts) => now.after(CLOCK_SKEW) >= sent_at && now.since(sent_at) < lasts,
        }
    }
}

/// How long a token of a service is recognised, by the script's name of the service.
pub fn token_window(service: &str) -> &'static TokenWindow {
    static WINDOWS: OnceLock<BTreeMap<String, TokenWindow>> = OnceLock::new();
    let windows = WINDOWS.get_or_init(|| {
        serde_json::from_str(include_str!("tokens.json"))
            .expect("the windows are part of the program and are parsed by a test")
    });
    windows
        .get(service)
        .or_else(|| windows.get("preset"))
        .expect("the windows have a preset for services without a figure")
}
