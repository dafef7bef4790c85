//! One look at a document: its text and tokens, the program that it is part of, and what a cursor in
//! it stands at.

use piton_core::diagnostic::Diagnostic;
use piton_models::Model;
use piton_script::Draft;
use piton_script::check::Receiver;
use piton_script::declaration::{self, Declaration};

use crate::cursor::{Cursor, Enclosing, Step};
use crate::documents::{Document, Documents};
use crate::known::View;
use crate::lines::Lines;
use crate::script::Script;
use crate::shapes;

/// A document that is being looked at.
pub(crate) struct Look<'a> {
    pub(crate) lines: &'a Lines,
    pub(crate) draft: Draft,
    /// The name of the document in its program.
    pub(crate) file: String,
}

/// What is written in the arguments of a call.
pub(crate) enum Input {
    /// A value of a shape: the input of an operation, or a part of it.
    Shape { model: &'static Model, shape: &'static str },
    /// Options of a function, or the value of one of them.
    Options { function: String, nested: Vec<String> },
}

impl<'a> Look<'a> {
    /// # Errors
    /// When the program that the document is part of cannot be read.
    pub(crate) fn at(documents: &Documents, document: &'a Document) -> Result<Self, Diagnostic> {
        let open = documents.texts();
        let draft = documents.draft(&documents.root(document, &open), &open)?;
        let file = document.file_in(&draft);
        Ok(Self { lines: &document.lines, draft, file })
    }

    /// What the runbook declares, as far as that can be read.
    pub(crate) fn declaration(&self) -> Declaration {
        let text = self.draft.script_text();
        let Some(range) = Script::new(text).declaration() else { return Declaration::default() };
        // Alone, but where it stands: what is around it may not parse.
        let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
        let before: String = text[..range.start].chars().map(blank).collect();
        let alone = format!("{before}{};", &text[range]);
        declaration::sketch(self.draft.script(), &alone).unwrap_or_default()
    }

    /// What the name at a cursor is read of or called on.
    pub(crate) fn receivers(&self, cursor: &Cursor<'_>) -> Vec<Receiver> {
        self.view().receivers(cursor)
    }

    fn view(&self) -> View<'_> {
        View { draft: &self.draft, file: &self.file, lines: self.lines }
    }

    /// What is written at a cursor that is in the arguments of a call.
    pub(crate) fn input(&self, cursor: &Cursor<'_>, call: &Enclosing) -> Option<Input> {
        let script = cursor.script;
        let name = script.word(call.callee);
        match script.word_before(call.callee, 1) {
            "." | "?." => {
                let receivers = self.view().receivers_of_call(cursor, call.callee);
                receivers.into_iter().find_map(|receiver| match receiver {
                    Receiver::Client(service) if call.argument == 0 => {
                        let model = piton_models::service(service)?;
                        let input = shapes::operation(model, name)?.input.as_ref()?;
                        let shape = shapes::part(model, &input.shape, &call.path)?;
                        Some(Input::Shape { model, shape })
                    }
                    Receiver::Account => options(name, &call.path),
                    _ => None,
                })
            }
            "::" => None,
            _ => options(name, &call.path),
        }
    }

    /// The text of the module that a name stands for in a script.
    pub(crate) fn module(&self, script: &Script<'_>, name: &str) -> Option<(String, &str)> {
        self.draft.module_of(&self.file, script.import_named(name)?)
    }
}

fn options(function: &str, path: &[Step]) -> Option<Input> {
    let nested = path.iter().map(|step| match step {
        Step::Member(name) => name.clone(),
        Step::Element => "[]".to_owned(),
    });
    Some(Input::Options { function: function.to_owned(), nested: nested.collect() })
}
