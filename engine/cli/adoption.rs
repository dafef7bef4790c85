//! `piton doctor --adopt-home`: a home that is not the one it was written as becomes one of its own.

use serde_json::json;

use crate::console;
use crate::context::Context;
use crate::failure::{Outcome, exit};

/// Makes the home of this command one of its own, and says what goes on in it.
pub(crate) fn run(context: &Context) -> Outcome {
    let home = context.home()?;
    let adoption = home.adopt()?;
    let folder = home.folder().display();
    if context.json {
        console::document(&json!({
            "home": folder.to_string(), "was": adoption.was, "original_is_there": adoption.is_there,
            "unfinished": adoption.unfinished,
        }));
        return Ok(exit::DONE);
    }
    let Some(was) = &adoption.was else {
        console::out(&format!("{folder} is a home of its own already"));
        return Ok(exit::DONE);
    };
    console::out(&format!("{folder} is a home of its own now; it was {was}"));
    if adoption.unfinished.is_empty() {
        return Ok(exit::DONE);
    }
    console::out(match adoption.is_there {
        true => "these runs go on there, and are only read here:",
        false => "these runs go on here; where else there is a copy of them, they must not go on:",
    });
    adoption.unfinished.iter().for_each(|run| console::out(&format!("  {run}")));
    Ok(exit::DONE)
}
