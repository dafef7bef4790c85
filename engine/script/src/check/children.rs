//! Calls of other runbooks: their parameters and accounts against what those declare.

use std::collections::BTreeMap;

use piton_core::diagnostic::{Code, Diagnostic, Severity};

use super::infer::Inference;
use super::natives::shown;
use super::ty::{Spot, Ty};
use crate::Program;
use crate::declaration::ParamType;
use crate::params;

impl Inference<'_> {
    /// `call_runbook`. What loading said of the runbook is not said again.
    pub(super) fn call_runbook(
        &mut self,
        runbook: &Ty,
        given: Option<&Ty>,
        options: Option<&Ty>,
        spot: Spot,
    ) {
        let compiled = self.tree.compiled;
        let Some(name) = runbook.literal_text() else { return };
        let Some(program) = compiled.called(name) else { return };
        if let Some(problem) = own_error(name, program) {
            self.report(spot, problem);
        }
        self.given_params(name, program, given, spot);
        let Some(accounts) = written(options) else { return };
        if let Some(problem) = compiled.declaration.cannot_lend(program.declaration(), &accounts) {
            self.report(spot, problem);
        }
    }

    fn given_params(&mut self, name: &str, program: &Program, given: Option<&Ty>, spot: Spot) {
        let declaration = program.declaration();
        let empty = Ty::map(super::ty::Record::default());
        let Ty::Map(record) = given.unwrap_or(&empty) else { return };
        let of_call = |mut problem: Diagnostic| {
            problem.message = format!("`{name}`: {}", problem.message);
            problem.hints.retain(|hint| !hint.starts_with("-p "));
            problem
        };
        for (param, field) in &record.members {
            let Some(spec) = declaration.param(param) else {
                if let Some(problem) = params::unknown_name(declaration, param) {
                    self.report(field.spot, of_call(problem));
                }
                continue;
            };
            if spec.kind == ParamType::Secret {
                continue;
            }
            for literal in field.ty.alternatives().iter().filter_map(Ty::literal) {
                if let Err(problem) = params::check(spec, &literal.value) {
                    let message = format!(
                        "`{name}`: the parameter `{param}` {problem} (here {})",
                        shown(&literal.value)
                    );
                    self.report(literal.spot, Diagnostic::error(Code::BadParameter, message));
                }
            }
        }
        if record.rest.is_some() {
            return;
        }
        for spec in &declaration.params {
            let is_absent = record.get(&spec.name).is_none_or(|ty| ty == Ty::Unit);
            if spec.is_required(true) && is_absent {
                let problem = params::not_given(declaration, &spec.name);
                self.report(spot, of_call(problem));
            }
        }
    }
}

/// The first error of a called runbook's own: it would stop its caller half-way.
fn own_error(name: &str, program: &Program) -> Option<Diagnostic> {
    let problems = super::check(program);
    let first = problems.into_iter().find(|problem| problem.severity == Severity::Error)?;
    let at = first.place.as_ref().map_or_else(String::new, |place| {
        format!(" ({}:{}:{})", place.file, place.line, place.column)
    });
    let message = format!("the runbook `{name}` has errors: {}{at}", first.message);
    Some(Diagnostic::error(Code::NotCallable, message).hint("`piton check` of it shows them all"))
}

/// The accounts of the options, where all of them are written out.
fn written(options: Option<&Ty>) -> Option<BTreeMap<String, String>> {
    let given = match options {
        None => return Some(BTreeMap::new()),
        Some(Ty::Map(record)) if record.rest.is_none() => record.get("accounts"),
        Some(_) => return None,
    };
    match given {
        None | Some(Ty::Unit) => Some(BTreeMap::new()),
        Some(Ty::Map(accounts)) if accounts.rest.is_none() => {
            let names = accounts.members.iter();
            names
                .map(|(alias, field)| Some((alias.clone(), field.ty.literal_text()?.to_owned())))
                .collect()
        }
        Some(_) => None,
    }
}
