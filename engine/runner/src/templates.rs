//! The templates of a runbook's folder, filled for the script's `render`.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_script::Program;
use serde_json::Value;

/// A template of the program with values. Names that the values lack are an error; HTML templates
/// escape what they are given.
pub(crate) fn render(
    program: &Program,
    name: &str,
    values: &Value,
) -> Result<String, Box<Diagnostic>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name.contains(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    for file in program.files() {
        if file.path.ends_with(".j2") {
            environment
                .add_template(&file.path, &file.text)
                .map_err(|error| template_problem(&file.path, &error))?;
        }
    }
    environment
        .get_template(name)
        .and_then(|template| template.render(Serde(values)))
        .map_err(|error| template_problem(name, &error))
}

fn template_problem(name: &str, error: &minijinja::Error) -> Box<Diagnostic> {
    let line = error.line().map_or_else(String::new, |line| format!(" line {line}"));
    let message = format!("the template `{name}`{line}: {error}");
    Box::new(Diagnostic::error(Code::Template, message))
}
