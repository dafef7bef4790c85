//! What is known of the value that a name is read of or called on, at one place of a program: for
//! editors, which complete and explain there.

use piton_models::Model;
use rhai::Position;

use super::infer::Inference;
use super::tree::Tree;
use super::ty::{Kind, Shaped, Ty};
use crate::Program;
use crate::program;

/// What a value is, as far as it is known.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// An account.
    Account,
    /// A client, by its service.
    Client(&'static str),
    /// The parameters of the runbook.
    Params,
    /// A part of what AWS answers.
    Answer {
        /// The service's model.
        model: &'static Model,
        /// The part's shape.
        shape: &'static str,
    },
    /// A map that the script made: its members, and what each of them is.
    Map(Vec<(String, &'static str)>),
    /// A list that the script made.
    List,
    /// A text.
    Text,
}

/// A place that is watched while values are followed.
pub(super) struct Watch {
    file: usize,
    line: usize,
    column: usize,
    seen: Vec<Ty>,
}

impl Inference<'_> {
    /// Keeps what a name is read of, at the place that is watched.
    pub(super) fn watch(&mut self, position: Position, of: &Ty) {
        let file = self.file();
        let Some(watch) = &mut self.watched else { return };
        if watch.file != file || position.line() != Some(watch.line) || watch.seen.contains(of) {
            return;
        }
        let place = self.tree.files[file].source.place(position);
        if place.is_some_and(|place| place.column == watch.column) {
            watch.seen.push(of.clone());
        }
    }
}

/// What the name at a place is read of or called on: everything that it can be. Nothing when the
/// program has no such file; an empty list when nothing is known.
pub(crate) fn receivers(
    program: &Program,
    file: &str,
    line: usize,
    column: usize,
) -> Option<Vec<Receiver>> {
    program::on_deep_stack(|| {
        let tree = Tree::new(program.compiled());
        let file = tree.files.iter().position(|known| known.source.path() == file)?;
        let mut inference = Inference::new(&tree);
        inference.watched = Some(Watch { file, line, column, seen: Vec::new() });
        inference.run();
        let seen = inference.watched.map(|watch| watch.seen).unwrap_or_default();
        let mut known: Vec<&Ty> = Vec::new();
        for one in seen.iter().flat_map(Ty::alternatives) {
            if !known.contains(&one) {
                known.push(one);
            }
        }
        Some(known.into_iter().filter_map(receiver).collect())
    })
}

fn receiver(ty: &Ty) -> Option<Receiver> {
    Some(match ty {
        Ty::Account => Receiver::Account,
        Ty::Client(service) => Receiver::Client(service),
        Ty::Params => Receiver::Params,
        Ty::Shape(Shaped { model, name }) => Receiver::Answer { model, shape: name },
        Ty::Map(record) => {
            let members = record.members.iter();
            Receiver::Map(
                members.map(|(name, field)| (name.clone(), field.ty.described())).collect(),
            )
        }
        Ty::List(..) => Receiver::List,
        Ty::Scalar(Kind::Text, _) | Ty::Choice(_) => Receiver::Text,
        _ => return None,
    })
}
