//! Where the codes of diagnostics are explained.

use std::sync::OnceLock;

use lsp_types::Uri;
use piton_core::diagnostic::Code;

const PAGE: &str = include_str!("../../../docs/reference/errors.md");

/// The address of the section on a code, in the project's repository.
pub(crate) fn page(code: Code) -> Option<Uri> {
    static HEADINGS: OnceLock<Vec<&str>> = OnceLock::new();
    let headings =
        HEADINGS.get_or_init(|| PAGE.lines().filter_map(|line| line.strip_prefix("## ")).collect());
    let heading = headings.iter().find(|heading| heading.starts_with(code.as_str()))?;
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor: String = heading.to_lowercase().chars().filter(is_kept).collect();
    let repository = env!("CARGO_PKG_REPOSITORY");
    let anchor = anchor.replace(' ', "-");
    format!("{repository}/blob/main/docs/reference/errors.md#{anchor}").parse().ok()
}

#[cfg(test)]
mod tests {
    use piton_core::diagnostic::Code;

    use super::page;

    #[test]
    fn a_code_leads_to_its_section() {
        let page = page(Code::Syntax).expect("it has one");
        assert!(page.as_str().ends_with("errors.md#pt0101-the-script-does-not-parse"));
    }
}
