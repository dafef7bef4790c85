//! Whatever is given, the checker answers with diagnostics: no panic, no endless work.

use std::fs;

use piton_core::diagnostic::{Code, Diagnostic, Severity};
use piton_core::ports::ProgramFile;
use piton_script::check;

use crate::lines;

fn file(path: &str, text: impl Into<String>) -> ProgramFile {
    ProgramFile { path: path.to_owned(), text: text.into() }
}

const HEAD: &str = "runbook(#{ title: \"T\", accounts: #{ admin: #{} } });\n";

fn checked(body: &str, others: &[(&str, &str)]) -> Vec<Diagnostic> {
    let others = others.iter().map(|(path, text)| file(path, *text));
    let main = file("t.rhai", format!("{HEAD}{body}"));
    check::check_files("t", std::iter::once(main).chain(others).collect())
}

fn codes(problems: &[Diagnostic]) -> Vec<Code> {
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn two_megabytes_are_checked() {
    let line = "aws(\"admin\").iam.list_users(#{ MaxItems: 5 });\n";
    let body = line.repeat(2 * 1024 * 1024 / line.len()) + "aws(\"admin\").iam.list_usrs();";
    let problems = checked(&body, &[]);
    assert_eq!(codes(&problems), [Code::UnknownOperation], "{:?}", lines(&problems));
}

#[test]
fn junk_is_said_to_be_junk() {
    let junk: String =
        (0..20_000_u32).map(|n| char::from_u32(n * 7919 % 0xd7ff).unwrap_or('x')).collect();
    let problems = check::check_files("t", vec![file("t.rhai", junk)]);
    assert_eq!(codes(&problems), [Code::Syntax]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("junk.rhai");
    fs::write(&path, [0xff, 0xfe, 0x00, 0x80]).unwrap();
    assert_eq!(codes(&check::check_path(&path)), [Code::RunbookNotFound]);
    assert_eq!(codes(&check::check_files("t", vec![file("t.rhai", "")])), [Code::Declaration]);
}

#[test]
fn ten_thousand_brackets_are_refused() {
    for open in ["(", "[", "#{a:", "{", "if true {", "|| ", "-", "!"] {
        let problems = checked(&format!("let x = {}", open.repeat(10_000)), &[]);
        assert_eq!(codes(&problems), [Code::Syntax], "{open}");
    }
    let balanced = format!("let _x = {}1{};", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(codes(&checked(&balanced, &[])), [Code::Syntax]);
}

#[test]
fn imports_that_lead_nowhere_are_said() {
    let cycle = [
        ("a.rhai", "import \"./b\" as b; fn f(x) { b::g(x) }"),
        ("b.rhai", "import \"./a\" as a; fn g(x) { a::f(x) }"),
    ];
    let problems = checked("import \"./a\" as a;\na::f(1);", &cycle);
    assert_eq!(codes(&problems), [Code::ModuleNotFound], "{:?}", lines(&problems));
    assert_eq!(problems[0].message, "the imports go in a circle: a.rhai, b.rhai, a.rhai");
    assert_eq!(codes(&checked("import \"./gone\" as g;\ng::f();", &[])), [Code::ModuleNotFound]);
    let problems =
        checked("import \"./bad\" as b;\nb::f();\nparams.x;", &[("bad.rhai", "fn f( {")]);
    assert_eq!(codes(&problems), [Code::UnknownParameter, Code::Syntax], "{:?}", lines(&problems));
    assert_eq!(problems[1].place.as_ref().unwrap().file, "bad.rhai");
}

#[test]
fn calls_in_circles_end() {
    let body = "fn f(x, y) { g([x], #{ a: y }) }\nfn g(x, y) { f(#{ b: x }, [y]) + f(y, x) }\n\
                let a = f(1, 2);\nfor i in 0..3 { a = [a, f(a, i)]; a.push(#{ i: a }); }\noutput(\"a\", a);";
    let problems = checked(body, &[]);
    assert!(
        problems.iter().all(|problem| problem.severity == Severity::Warning),
        "{:?}",
        lines(&problems)
    );
}
