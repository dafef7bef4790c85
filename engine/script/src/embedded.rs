//! The standard modules and packaged runbooks that the binary carries, by name.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Names of the standard modules as scripts import them, `std/datazone`.
pub(crate) fn modules() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}

/// The text of a standard module.
pub(crate) fn module(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Names of the packaged runbooks.
pub(crate) fn runbooks() -> impl Iterator<Item = &'static str> {
    RUNBOOKS.iter().map(|(name, _)| *name)
}

/// Files of a packaged runbook: path inside its folder and text.
pub(crate) fn runbook(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    RUNBOOKS.iter().find(|(known, _)| *known == name).map(|(_, files)| *files)
}
