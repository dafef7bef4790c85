//! What a name on the command line stands for, and what was probably meant by a misspelt one.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::{Model, Operation, suggest};

use super::search::{self, Hit};
use crate::failure::Failure;

/// What a name stands for.
pub(super) enum Named {
    /// A service.
    Service(&'static Model),
    /// An operation of it.
    Operation(&'static Model, &'static Operation),
    /// No name: the operations that have to do with it, best first; never none.
    Words(Vec<Hit>),
}

/// The script's names of all services: those with a typed binding first.
pub(super) fn services() -> impl Iterator<Item = &'static str> {
    piton_models::services().iter().chain(piton_models::further_services()).copied()
}

/// Finds what `name` stands for: a service, `service.operation`, an operation of any service, or
/// words to search for.
///
/// # Errors
/// When it is none of these, with what is nearest to it.
pub(super) fn named(name: &str) -> Result<Named, Failure> {
    if let Some((service, wanted)) = name.split_once('.') {
        let model = model(service)?;
        return Ok(Named::Operation(model, known_operation(model, wanted)?));
    }
    if let Some(model) = piton_models::service(name) {
        return Ok(Named::Service(model));
    }
    let mut everywhere = services()
        .filter_map(piton_models::service)
        .filter_map(|model| Some((model, operation(model, name)?)));
    match (everywhere.next(), everywhere.next()) {
        (Some((model, operation)), None) => return Ok(Named::Operation(model, operation)),
        (None, _) if suggest::nearest(name, services()).is_some() => {
            return Err(model_missing(name));
        }
        _ => {}
    }
    let found = search::operations(name);
    match found.is_empty() {
        true => Err(nothing(name)),
        false => Ok(Named::Words(found)),
    }
}

fn model(name: &str) -> Result<&'static Model, Failure> {
    piton_models::service(name).ok_or_else(|| model_missing(name))
}

fn model_missing(name: &str) -> Failure {
    let diagnostic =
        Diagnostic::error(Code::UnknownService, format!("there is no service `{name}`"));
    Failure::of(match suggest::nearest(name, services()) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic.hint(format!("services: {}", services().collect::<Vec<_>>().join(", "))),
    })
}

fn operation(model: &'static Model, wanted: &str) -> Option<&'static Operation> {
    let single = wanted.strip_suffix("_all");
    let paged = single.and_then(|name| model.operation_by_script_name(name));
    model
        .operation_by_script_name(wanted)
        .or_else(|| model.operations.get(wanted))
        .or_else(|| paged.filter(|paged| model.paginators.contains_key(&paged.name)))
}

fn known_operation(model: &'static Model, wanted: &str) -> Result<&'static Operation, Failure> {
    operation(model, wanted).ok_or_else(|| {
        let service = &model.script_name;
        let message = format!("{service} has no operation `{wanted}`");
        let mut diagnostic = Diagnostic::error(Code::UnknownOperation, message);
        let near = suggest::nearest(wanted, model.script_names());
        if let Some(near) = near {
            diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
        }
        for other in services().filter(|other| other != service) {
            if piton_models::service(other).is_some_and(|model| operation(model, wanted).is_some())
            {
                diagnostic = diagnostic.hint(format!("`{wanted}` is an operation of {other}"));
            }
        }
        Failure::of(match near {
            Some(_) => diagnostic,
            None => diagnostic.hint(format!("`piton explain {service}` lists them")),
        })
    })
}

/// Nothing has that name and nothing was found for it as a word.
fn nothing(name: &str) -> Failure {
    let models = || services().filter_map(piton_models::service);
    let near = suggest::nearest(name, models().flat_map(Model::script_names));
    let message =
        format!("`{name}` is no service and no operation, and no operation has to do with it");
    let diagnostic = Diagnostic::error(Code::UnknownOperation, message);
    Failure::of(match near {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic.hint("`piton explain` lists the services"),
    })
}
