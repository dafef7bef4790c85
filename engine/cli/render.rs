//! Diagnostics for people: code, place, snippet, frames and ways on.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use piton_core::diagnostic::{Diagnostic, Place, Severity};

use crate::console;

/// Paints diagnostics on stderr.
pub(crate) fn to_stderr(diagnostics: &[Diagnostic]) {
    let renderer = match console::stderr_has_colours() {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    for diagnostic in diagnostics {
        console::err(&render(diagnostic, &renderer.clone().decor_style(DecorStyle::Ascii)));
    }
}

fn render(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let mut group = match &diagnostic.place {
        Some(place) if !place.source_line.is_empty() => title.element(snippet(place)),
        Some(place) => title.element(origin(place)),
        None => Group::with_title(title),
    };
    for frame in &diagnostic.frames {
        let Place { file, line, column, .. } = &frame.place;
        let text = format!("in `{}`, called at {file}:{line}:{column}", frame.name);
        group = group.element(Level::NOTE.message(text));
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

fn origin(place: &Place) -> Origin<'_> {
    Origin::path(place.file.as_str()).line(place.line).char_column(place.column)
}

fn snippet(place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let text = place.source_line.as_str();
    // Places count characters, snippets bytes.
    let byte = |column: usize| {
        text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
    };
    let start = byte(place.column);
    let end = byte(place.end_column).max(start);
    Snippet::source(text)
        .line_start(place.line)
        .path(place.file.as_str())
        .annotation(AnnotationKind::Primary.span(start..end))
}

#[cfg(test)]
mod tests {
    use annotate_snippets::Renderer;
    use annotate_snippets::renderer::DecorStyle;
    use piton_core::diagnostic::{Code, Diagnostic, Frame, Place};

    use super::render;

    #[test]
    fn code_place_snippet_frames_and_hints_are_there() {
        let place = Place {
            file: "poc.rhai".to_owned(),
            line: 7,
            column: 5,
            end_column: 10,
            source_line: "let\u{fc} = wrong;".to_owned(),
        };
        let mut diagnostic = Diagnostic::error(Code::UndefinedName, "`wrong` is not defined")
            .at(Some(place.clone()))
            .hint("did you mean `wring`?");
        diagnostic.frames.push(Frame { name: "prepare".to_owned(), place });
        let text = render(&diagnostic, &Renderer::plain().decor_style(DecorStyle::Ascii));
        for part in [
            "error[PT0102]: `wrong` is not defined",
            "poc.rhai:7:5",
            "in `prepare`",
            "did you mean",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
