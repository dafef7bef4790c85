//! What ships is clean: nothing is reported on packaged runbooks, standard modules and examples.

use piton_core::ports::ProgramFile;
use piton_script::{check, program};

use crate::lines;

#[test]
fn packaged_runbooks_are_clean() {
    for name in program::packaged() {
        let problems = check::check_packaged(name);
        assert!(problems.is_empty(), "{name}:\n{}", lines(&problems).join("\n"));
    }
}

#[test]
fn standard_modules_are_clean() {
    let imports: String = program::standard_modules()
        .iter()
        .map(|path| format!("import \"{path}\" as {};\n", path.trim_start_matches("std/")))
        .collect();
    let main = format!("runbook(#{{ title: \"All\", accounts: #{{ admin: #{{}} }} }});\n{imports}");
    let standard = program::standard_modules().into_iter().map(|path| ProgramFile {
        path: path.to_owned(),
        text: program::standard_module(path).unwrap().to_owned(),
    });
    let main = ProgramFile { path: "all.rhai".to_owned(), text: main };
    let problems = check::check_files("all", std::iter::once(main).chain(standard).collect());
    assert!(problems.is_empty(), "{}", lines(&problems).join("\n"));
}
