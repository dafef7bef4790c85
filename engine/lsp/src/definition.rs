//! Where the name at a cursor is defined: functions, modules, variables, parameters.

use std::ops::Range;

use lsp_types::Position;

use crate::cursor::Cursor;
use crate::diagnostics;
use crate::lines::Lines;
use crate::look::Look;
use crate::script::Script;

/// Where the name at a cursor is defined: the file in the program, and the bytes in it.
pub(crate) fn definition(look: &Look<'_>, position: Position) -> Option<(String, Range<usize>)> {
    let script = Script::new(look.lines.text());
    let cursor = Cursor::new(&script, look.lines.offset(position));
    if let Some(index) = cursor.quoted.filter(|_| cursor.before(1) == "import") {
        let (file, _) = look.draft.module_of(&look.file, script.quoted(index)?)?;
        return Some((file, 0..0));
    }
    let name = script.word(cursor.index);
    let function = |script: &Script<'_>| {
        let functions = script.functions();
        functions.into_iter().find(|function| function.name == name).map(|function| function.at)
    };
    match cursor.before(1) {
        _ if cursor.word.is_empty() => None,
        "::" => {
            let (file, text) = look.module(&script, cursor.before(2))?;
            Some((file, function(&Script::new(text))?))
        }
        "." | "?." => {
            let is_params = cursor.before(2) == "params";
            let place = look.declaration().param(name).filter(|_| is_params)?.place.clone()?;
            let lines = Lines::new(look.draft.script_text().to_owned());
            let range = diagnostics::range(&place);
            Some((place.file, lines.offset(range.start)..lines.offset(range.end)))
        }
        _ => {
            let variables = script.variables_before(cursor.index).into_iter();
            let variable = variables.map(|(known, next)| (known, next - 1));
            let variable = variable.filter(|(known, _)| *known == name).map(|(_, at)| at).next();
            let import = script.imports().into_iter().find(|import| import.name == name);
            let at = variable.map(|at| script.tokens[at].range.clone());
            let at = at.or_else(|| function(&script)).or(import.map(|import| import.at))?;
            Some((look.file.clone(), at))
        }
    }
}
