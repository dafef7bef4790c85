//! `piton explain`: services, operations and their members, as the models have them, and what the
//! catalogue knows of each operation. What is shown is in `views` and `piton_script::explain`, how it
//! looks in `page`.

mod names;
mod page;
mod search;
mod views;

use clap::Args;
use piton_models::{Model, Operation};
use piton_script::explain;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use names::Named;

/// Explain services and operations: members, errors, what may be repeated and taken back
///
/// Without a name it lists the services. Words that are no name are searched for, and so are those
/// after --search.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// datazone, datazone.create_project, create_project, or words to search for
    #[arg(value_name = "SERVICE[.OPERATION]")]
    what: Vec<String>,
    /// List the operations that have to do with these words, best first: "subscription grant"
    #[arg(long, value_name = "WORDS", conflicts_with = "what")]
    search: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Outcome {
    if let Some(words) = &args.search {
        let found = search::operations(words);
        if found.is_empty() {
            return Err(Failure::usage(format!("no operation has to do with `{words}`")));
        }
        found_operations(context, words, &found);
        return Ok(exit::DONE);
    }
    match args.what.as_slice() {
        [] => services(context),
        [name] => match names::named(name)? {
            Named::Service(model) => service(context, model),
            Named::Operation(model, found) => operation(context, model, found),
            Named::Words(found) => found_operations(context, name, &found),
        },
        words => {
            let words = words.join(" ");
            let found = search::operations(&words);
            if found.is_empty() {
                return Err(Failure::usage(format!("no operation has to do with `{words}`")));
            }
            found_operations(context, &words, &found);
        }
    }
    Ok(exit::DONE)
}

fn services(context: &Context) {
    let view = views::services();
    match context.json {
        true => console::document(&view),
        false => console::out_exactly(&page::services(&view)),
    }
}

fn service(context: &Context, model: &'static Model) {
    let view = views::service(model);
    match context.json {
        true => console::document(&view),
        false => console::out_exactly(&page::service(&view)),
    }
}

fn operation(context: &Context, model: &'static Model, operation: &'static Operation) {
    let view = explain::operation(model, operation);
    match context.json {
        true => console::document(&view),
        false => console::out_exactly(&page::operation(&view)),
    }
}

fn found_operations(context: &Context, words: &str, found: &[search::Hit]) {
    let view = views::found(words, found);
    match context.json {
        true => console::document(&view),
        false => console::out_exactly(&page::found(&view)),
    }
}
