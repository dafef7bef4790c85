//! The prelude's functions with the sections of `docs/reference/prelude.md` that explain them.

use std::sync::OnceLock;

use piton_script::words;

/// The reference page: one source for readers and editors.
const PAGE: &str = include_str!("../../../docs/reference/prelude.md");

/// A function of the prelude.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// How it is called.
    pub(crate) usage: &'static str,
    /// The section that explains it, without its heading.
    pub(crate) doc: String,
}

/// Methods of an account, with how they are called.
pub(crate) const ACCOUNT: [(&str, &str); 5] = [
    ("assume", "assume(role_arn) or assume(role_arn, #{ external_id, session_name })"),
    ("environment", "environment(domain, environment)"),
    ("identity", "identity()"),
    ("region", "region(\"us-east-1\")"),
    ("service", "service(\"s3\")"),
];

/// Every function of the prelude.
pub(crate) fn functions() -> &'static [Function] {
    static FUNCTIONS: OnceLock<Vec<Function>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let functions = words::prelude().iter();
        functions.map(|(name, usage)| Function { name, usage, doc: section(name) }).collect()
    })
}

/// A function of the prelude by name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    functions().iter().find(|function| function.name == name)
}

/// What the page says of `params`.
pub(crate) fn params() -> String {
    section_with("`params.")
}

/// What the page says of an option, in the table of its function.
pub(crate) fn option(function: &str, option: &str) -> Option<&'static str> {
    let page = sections().find(|section| heading(section).contains(&format!("`{function}(")))?;
    let row = page.lines().find(|line| line.starts_with(&format!("| `{option}` |")))?;
    row.trim_matches('|').split('|').nth(1).map(str::trim)
}

fn sections() -> impl Iterator<Item = &'static str> {
    PAGE.split("\n### ").skip(1)
}

fn heading(section: &str) -> &str {
    section.lines().next().unwrap_or_default()
}

fn section(name: &str) -> String {
    section_with(&format!("`{name}("))
}

fn section_with(beginning: &str) -> String {
    let section = sections().find(|section| heading(section).contains(beginning));
    let body = section.and_then(|section| section.split_once('\n')).map_or("", |(_, body)| body);
    let body = body.split("\n## ").next().unwrap_or_default();
    without_links(body.trim())
}

/// Links of the page lead from the page: their words stay.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let start = before.rfind('[').unwrap_or(0);
        out.push_str(&before[..start]);
        out.push_str(before.get(start + 1..).unwrap_or_default());
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{ACCOUNT, functions, option, params, without_links};

    #[test]
    fn every_function_has_its_section() {
        for function in functions() {
            assert!(!function.doc.is_empty(), "{} has no section", function.name);
            assert!(!function.doc.contains("###"), "{}", function.name);
        }
        assert!(params().contains("params.get"));
        assert!(option("wait_until", "gone").is_some_and(|text| text.contains("error codes")));
        assert_eq!(option("wait_until", "nothing"), None);
    }

    #[test]
    fn account_methods_are_those_of_the_page() {
        for (name, _) in ACCOUNT {
            assert!(super::PAGE.contains(&format!("`.{name}(")), "{name}");
        }
    }

    #[test]
    fn links_become_words() {
        assert_eq!(without_links("see [the guide](../g.md#x), [a](b)."), "see the guide, a.");
    }
}
