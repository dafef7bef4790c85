//! A run's events as they come: a moving line on a terminal, plain lines elsewhere, JSON lines for
//! programs. Nothing is repeated on replay, because the engine tells nothing twice.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use piton_core::ports::EventSink;

use crate::console;

mod json;
mod lines;

pub(crate) use json::JsonLines;
pub(crate) use lines::Lines;

/// Where progress appears: lines that stay, and on a terminal one that moves below them.
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
}

impl Screen {
    /// The screen of this process.
    pub(crate) fn new(moves: bool) -> Self {
        let bar = (moves && console::stderr_is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}")
                .expect("the template is part of the program");
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar }
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| console::err(text)),
            None => console::err(text),
        }
    }

    /// What is going on right now; its clock starts anew.
    pub(crate) fn activity(&self, text: &str) {
        if let Some(bar) = &self.bar
            && bar.message() != text
        {
            bar.set_message(text.to_owned());
            bar.reset_elapsed();
        }
    }

    /// Keeps the moving line away while something else has the terminal.
    pub(crate) fn suspend<T>(&self, during: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(during),
            None => during(),
        }
    }

    /// Takes the moving line away for good.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The sink of a command's output form.
pub(crate) fn sink(json: Option<JsonLines>, screen: &Arc<Screen>) -> Arc<dyn EventSink> {
    match json {
        Some(lines) => Arc::new(lines),
        None => Arc::new(Lines::new(Arc::clone(screen))),
    }
}
