//! States: what a wait looks for, and what a script compares with, against what there can be.

use std::rc::Rc;

use piton_core::diagnostic::{Code, Diagnostic, Frame};
use piton_models::suggest;

use super::expr::{Read, some_of};
use super::infer::{Inference, undefined};
use super::natives::shown;
use super::ty::{Choices, Shaped, Spot, Ty};

/// The values that a text can have.
struct Possible {
    values: Vec<String>,
    /// Those that the script writes itself, with their places.
    written: Vec<(String, Spot)>,
    /// What they are of, for messages.
    of: String,
    /// Whether a model or the declaration lists them, and not the script's own literals.
    is_listed: bool,
}

impl Inference<'_> {
    /// The states of a wait against what its call answers.
    pub(super) fn wait(&mut self, answer: &Ty, options: &Ty, owner: &str, called: Spot) {
        let Ty::Map(options) = options else { return };
        let path = options.get("path").unwrap_or(Ty::Unit);
        let state = match &path {
            Ty::Unit => answer.clone(),
            other => match other.literal() {
                Some(literal) => {
                    let path = literal.value.as_str().unwrap_or_default().to_owned();
                    self.part(answer, &path, literal.spot, Some((owner, called)))
                }
                None => return,
            },
        };
        let Some(possible) = possible(&state) else { return };
        for option in ["ok", "fail"] {
            let states = options.get(option).unwrap_or(Ty::Unit);
            let states = match &states {
                Ty::List(item, _) => (**item).clone(),
                one => one.clone(),
            };
            for one in states.alternatives() {
                let Some(literal) = one.literal() else { continue };
                let Some(text) = literal.value.as_str() else { continue };
                if possible.values.iter().any(|value| value == text) {
                    self.read_well(literal.spot);
                    continue;
                }
                let message = format!("`{text}` is no state of {}", possible.of);
                let mut diagnostic = with_near(
                    Diagnostic::error(Code::UnknownState, message),
                    text,
                    &possible.values,
                );
                if let Some(place) = self.place(called) {
                    diagnostic.frames.push(Frame { name: owner.to_owned(), place });
                }
                // Either of the two may be the slip.
                if let Some(spot) = slip(&possible, options, text) {
                    self.report_read(spot, diagnostic.clone(), literal.spot);
                }
                self.report_read(literal.spot, diagnostic, literal.spot);
            }
        }
    }

    /// A part of a value by dotted path. With `wait`, a part that cannot be there is a mistake.
    pub(super) fn part(
        &mut self,
        of: &Ty,
        path: &str,
        spot: Spot,
        wait: Option<(&str, Spot)>,
    ) -> Ty {
        if path.is_empty() {
            return of.clone();
        }
        let mut found = Ty::Never;
        let mut problem = None;
        for one in of.alternatives() {
            match self.part_of(one, path, spot) {
                Read::Found(ty) | Read::Possible(ty) => found = found.or(ty),
                Read::Missing(missing) => problem = Some(missing),
                Read::Unknown => found = found.or(Ty::Any),
                Read::Nothing => {}
            }
        }
        match problem {
            Some(mut missing) if found == Ty::Never => {
                if let Some((owner, called)) = wait
                    && let Some(place) = self.place(called)
                {
                    missing.diagnostic.frames.push(Frame { name: owner.to_owned(), place });
                }
                self.report_read(missing.spot, missing.diagnostic, spot);
                Ty::Any
            }
            _ => {
                self.read_well(spot);
                if found == Ty::Never { Ty::Unit } else { found }
            }
        }
    }

    fn part_of(&mut self, of: &Ty, path: &str, spot: Spot) -> Read {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let inner = match of {
            Ty::Map(record) if record.members.contains_key(path) => {
                return record.get(path).map_or(Read::Unknown, Read::Found);
            }
            Ty::Map(record) => match record.get(name) {
                Some(ty) => ty,
                None => return Read::Missing(self.no_part(record, name, spot)),
            },
            Ty::Shape(shaped) if name.parse::<usize>().is_err() => {
                match self.member_of_shape(*shaped, name, spot) {
                    Read::Found(ty) | Read::Possible(ty) => ty,
                    other => return other,
                }
            }
            Ty::Shape(_) | Ty::List(..) => of.element(),
            Ty::Unit | Ty::Never => return Read::Nothing,
            _ => return Read::Unknown,
        };
        if rest.is_empty() {
            Read::Found(inner)
        } else {
            Read::Found(self.part(&inner, rest, spot, None))
        }
    }

    fn no_part(&self, record: &super::ty::Record, name: &str, spot: Spot) -> super::expr::Missing {
        let diagnostic = undefined(format!("the map has no member `{name}`"));
        let known = || record.members.keys().map(String::as_str);
        let diagnostic = match suggest::nearest(name, known()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("it has {}", some_of(known()))),
        };
        super::expr::Missing::at(spot, diagnostic)
    }

    /// A value beside a literal: one that it never has is a slip.
    pub(super) fn compared(&mut self, value: &Ty, literals: &Ty) {
        let Some(possible) = possible(value).filter(|possible| possible.is_listed) else { return };
        for one in literals.alternatives() {
            let Some(literal) = one.literal() else { continue };
            let Some(text) = literal.value.as_str() else { continue };
            if possible.values.iter().any(|value| value == text) {
                self.read_well(literal.spot);
                continue;
            }
            let message = format!("`{text}` is no value of {}: they are never equal", possible.of);
            let near = suggest::nearest(text, possible.values.iter().map(String::as_str));
            let diagnostic = match near {
                Some(_) => Diagnostic::error(Code::UnknownState, message),
                None => Diagnostic::warning(Code::UnknownState, message),
            };
            let diagnostic = with_near(diagnostic, text, &possible.values);
            self.report_read(literal.spot, diagnostic, literal.spot);
        }
    }

    /// `list.contains(item)`, `item in list`.
    pub(super) fn contains(&mut self, list: &Ty, item: &Ty) {
        let elements = list.element();
        self.compared(item, &elements);
        self.compared(&elements, item);
    }
}

/// The values that there can be, when all of them are known.
fn possible(ty: &Ty) -> Option<Possible> {
    let mut possible =
        Possible { values: Vec::new(), written: Vec::new(), of: String::new(), is_listed: false };
    for one in ty.alternatives() {
        match one {
            Ty::Unit | Ty::Never => {}
            Ty::Shape(Shaped { .. }) => {
                let (values, of) = one.enumeration()?;
                possible.values.extend(values.iter().cloned());
                of.clone_into(&mut possible.of);
                possible.is_listed = true;
            }
            Ty::Choice(choices) => {
                let Choices { param, values } = Rc::as_ref(choices);
                possible.values.extend(values.iter().map(shown));
                possible.of = format!("the parameter `{param}`");
                possible.is_listed = true;
            }
            other => {
                let text = other.literal_text()?.to_owned();
                let spot = other.literal()?.spot;
                possible.written.push((text.clone(), spot));
                possible.values.push(text);
                if possible.of.is_empty() {
                    possible.of.push_str("what the closure answers");
                }
            }
        }
    }
    (!possible.values.is_empty()).then_some(possible)
}

/// The script's own state that was meant to be this one, when the wait knows nothing of it.
fn slip(possible: &Possible, options: &super::ty::Record, wanted: &str) -> Option<Spot> {
    let near = suggest::nearest(wanted, possible.written.iter().map(|(text, _)| text.as_str()))?;
    let is_awaited = ["ok", "fail"].iter().any(|option| {
        let states = options.get(option).unwrap_or(Ty::Unit).element();
        states.alternatives().iter().any(|one| one.literal_text() == Some(near))
    });
    let (_, spot) = possible.written.iter().find(|(text, _)| text == near)?;
    (!is_awaited).then_some(*spot)
}

fn with_near(diagnostic: Diagnostic, text: &str, values: &[String]) -> Diagnostic {
    match suggest::nearest(text, values.iter().map(String::as_str)) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic.hint(format!("there are {}", values.join(", "))),
    }
}
