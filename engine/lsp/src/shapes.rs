//! Walks through the shapes of a service model: from the input of an operation to a member that is
//! being written, from an answer to a part of it.

use piton_models::{Model, Operation, Shape, ShapeKind};

use crate::cursor::Step;

/// The operation that a script calls by a name, with or without `_all`.
pub(crate) fn operation(model: &'static Model, name: &str) -> Option<&'static Operation> {
    let pages = |operation: &&Operation| model.paginators.contains_key(&operation.name);
    model.operation_by_script_name(name).or_else(|| {
        let single = name.strip_suffix("_all")?;
        model.operation_by_script_name(single).filter(pages)
    })
}

/// The shape that a part of a value has; nothing where the model has no such part.
pub(crate) fn part<'m>(model: &'m Model, shape: &'m str, path: &[Step]) -> Option<&'m str> {
    path.iter().try_fold(shape, |shape, step| {
        let shape = model.shape(shape);
        let member = match (shape.kind, step) {
            (ShapeKind::Structure, Step::Member(name)) => shape.member_named(name),
            (ShapeKind::Map, Step::Member(_)) => shape.value.as_deref(),
            (ShapeKind::List, Step::Element) => shape.member.as_deref(),
            _ => None,
        };
        member.map(|member| member.shape.as_str())
    })
}

/// The structure that a shape is.
pub(crate) fn structure<'m>(model: &'m Model, shape: &str) -> Option<&'m Shape> {
    let shape = model.shape(shape);
    (shape.kind == ShapeKind::Structure && !shape.document).then_some(shape)
}

/// The model of any service that a script can call.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    piton_models::services().iter().chain(piton_models::further_services()).copied()
}
