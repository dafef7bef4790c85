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
fn nesting_and_growth_do_not_take_for_ever() {
    let nested = |start: &str, end: &str, levels: usize| {
        let starts: String = (0..levels).map(|n| start.replace('N', &n.to_string())).collect();
        format!("let xs = [1]; let y = 0;\n{starts}{}\noutput(\"y\", y);", end.repeat(levels))
    };
    let repeated = |line: &str, times: usize| {
        let lines: String = (0..times).map(|n| line.replace('N', &n.to_string())).collect();
        format!("let y = \"a\"; let data = parse_json(\"{{}}\");\n{lines}\noutput(\"y\", y);")
    };
    let functions: String = (0..60)
        .map(|n| format!("fn f{n}(c) {{ [f{m}(|| c.call()), f{m}(|| [c.call()])] }}\n", m = n + 1))
        .collect();
    for body in [
        nested("for iN in xs { y = [y, iN]; ", "} ", 40),
        nested("while y != N { y = [y]; ", "} ", 40),
        nested("if y == N { y = #{ a: y, b: y }; ", "} ", 40),
        nested("for iN in xs { y = [y]; step(\"sN\", || { y = #{ m: y }; ", "}); } ", 15),
        nested("[1].map(|xN| { y = [y, xN]; ", "}); ", 15),
        repeated("y = y + y; ", 60),
        repeated("y = #{ a: y, b: y }; ", 300),
        repeated("y = #{ mN: y, n: [y, y] }; if data == N { y = [y]; } ", 300),
        repeated("note(data.mebmerN); ", 5_000),
        repeated("note(\"VALUEN\"); ", 5_000),
        format!("{functions}fn f60(c) {{ c.call() }}\noutput(\"y\", f0(|| 1));"),
    ] {
        let problems = checked(&body, &[]);
        let is_error = |problem: &Diagnostic| problem.severity == Severity::Error;
        assert!(!problems.iter().any(is_error), "{body}: {:?}", lines(&problems));
    }
    let wrong = repeated("aws(\"admin\").iam.list_usrsN(); ", 5_000);
    let problems = checked(&wrong, &[]);
    assert!((100..1_000).contains(&problems.len()), "{} problems are told", problems.len());
}

#[test]
fn a_word_of_the_language_is_no_member() {
    // Rhai's parser panics at such a word between two dots.
    for chain in ["m.params", "m.params.a", "m?.params.a", "m.keys().params.a", "params.params.a"] {
        let problems = checked(&format!("let m = #{{}}; note({chain});"), &[]);
        assert_eq!(codes(&problems), [Code::Syntax], "{chain}");
        assert!(problems[0].hints[0].contains("write map[\"params\"]"), "{problems:?}");
    }
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
