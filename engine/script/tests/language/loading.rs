//! Programs: where their files come from, what belongs to them, what is refused at once.

use std::fs;

use piton_core::diagnostic::Code;
use piton_script::Program;
use piton_script::program;

use crate::support::{found, hints, script};

const MAIN: &str = "runbook(#{ title: \"T\" });\nimport \"./lib/util\" as u;\nlet q = asset(\"q.sql\"); render(\"r.md.j2\", #{});";

fn folder() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("book");
    fs::create_dir_all(folder.join("lib")).unwrap();
    for (path, text) in [
        ("book.rhai", MAIN),
        ("lib/util.rhai", "import \"./deep\" as d; fn one() { d::one() }"),
        ("lib/deep.rhai", "fn one() { 1 }"),
        ("unused.rhai", "this is not rhai ("),
        ("book.test.rhai", "not part"),
        ("world.toml", "not = 'part'"),
        ("README.md", "not part"),
        (".hidden", "not part"),
        ("q.sql", "select 1"),
        ("other.sql", "select 2"),
        ("r.md.j2", "hello"),
    ] {
        fs::write(folder.join(path), text).unwrap();
    }
    fs::write(folder.join("picture.bin"), [0xff, 0xfe, 0x00]).unwrap();
    home
}

fn paths(program: &Program) -> Vec<&str> {
    program.files().iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn a_folder_of_its_own_belongs_to_the_runbook() {
    let home = folder();
    let expected = ["book.rhai", "lib/deep.rhai", "lib/util.rhai", "other.sql", "q.sql", "r.md.j2"];
    for path in ["book", "book/book.rhai"] {
        let program = Program::from_folder_or_file(&home.path().join(path)).unwrap();
        assert_eq!(paths(&program), expected, "{path}");
        assert_eq!((program.name(), program.asset("q.sql")), ("book", Some("select 1")));
        assert_eq!(
            (program.template("r.md.j2"), program.asset("book.rhai")),
            (Some("hello"), None)
        );
    }
}

#[test]
fn a_script_among_others_takes_only_what_it_names() {
    let home = folder();
    fs::rename(home.path().join("book"), home.path().join("drawer")).unwrap();
    let program = Program::from_folder_or_file(&home.path().join("drawer/book.rhai"));
    // Folders below are not looked into.
    let problems = program.unwrap_err();
    assert_eq!(
        found(&problems[0]),
        (Code::ModuleNotFound, "book.rhai:2:8 \"./lib/util\"".to_owned())
    );
    let alone = MAIN.replace("import \"./lib/util\" as u;", "");
    fs::write(home.path().join("drawer/book.rhai"), alone).unwrap();
    let program = Program::from_folder_or_file(&home.path().join("drawer/book.rhai")).unwrap();
    assert_eq!(paths(&program), ["book.rhai", "q.sql", "r.md.j2"]);
}

#[test]
fn a_stored_program_is_the_same_program() {
    let home = folder();
    let first = Program::from_folder_or_file(&home.path().join("book")).unwrap();
    let again = Program::from_files("book", first.files().to_vec()).unwrap();
    assert_eq!((first.digest(), paths(&first)), (again.digest(), paths(&again)));
    fs::write(home.path().join("book/q.sql"), "select 3").unwrap();
    let changed = Program::from_folder_or_file(&home.path().join("book")).unwrap();
    assert_ne!(first.digest(), changed.digest());
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let home = tempfile::tempdir().unwrap();
    let problems = Program::from_folder_or_file(&home.path().join("none.rhai")).unwrap_err();
    assert_eq!(problems[0].code, Code::RunbookNotFound);
    let problems = Program::from_folder_or_file(home.path()).unwrap_err();
    assert_eq!(problems[0].code, Code::RunbookNotFound);
    assert_eq!(Program::packaged("no_such_runbook").unwrap_err()[0].code, Code::RunbookNotFound);
    let problems = script("import \"./utl\" as u;").file("util.rhai", "fn f() { 1 }").refused();
    assert!(hints(&problems[0]).contains("./util"));
    for outside in ["../x", "./../../x", "util", "/x"] {
        let problems = script(&format!("import \"{outside}\" as u;")).refused();
        assert_eq!(problems[0].code, Code::ModuleNotFound, "{outside}");
    }
}

#[test]
fn what_the_binary_carries_compiles() {
    for name in program::packaged() {
        let program =
            Program::packaged(name).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert_eq!(program.name(), name);
        assert!(
            program::packaged_files(name)
                .unwrap()
                .iter()
                .any(|file| file.path == format!("{name}.rhai"))
        );
    }
    for module in program::standard_modules() {
        let text = format!("runbook(#{{ title: \"T\" }});\nimport \"{module}\" as m;");
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("x.rhai"), text).unwrap();
        let program = Program::from_folder_or_file(&home.path().join("x.rhai"))
            .unwrap_or_else(|problems| panic!("{module}: {problems:?}"));
        assert!(paths(&program).contains(&module), "{module} is stored with the run");
    }
}

#[test]
fn mistakes_of_several_files_are_found_at_once() {
    let problems = script("import \"./a\" as a;\nimport \"./b\" as b;")
        .file("a.rhai", "let x = ;")
        .file("b.rhai", "fn f() { y }")
        .refused();
    let mut places: Vec<_> = problems.iter().map(|problem| found(problem).1).collect();
    places.sort();
    assert_eq!(places, ["a.rhai:1:9 ;", "b.rhai:1:10 y"]);
}

#[test]
fn a_syntax_error_marks_its_token() {
    let problems = script("let ö = \"ä\";").refused();
    assert_eq!(problems[0].code, Code::Syntax);
    let problems = script("let a = \"ä\" let b = 1;").refused();
    assert_eq!(found(&problems[0]), (Code::Syntax, "test.rhai:2:13 let".to_owned()));
}

#[test]
fn a_module_does_nothing_while_it_is_imported() {
    for (text, at) in [
        ("note(\"x\");", "m.rhai:1:1 note"),
        ("let x = 1; let p = step(\"a\", || 1);", "m.rhai:1:20 step"),
        ("if true { sleep(\"1s\"); }", "m.rhai:1:11 sleep"),
        ("const D = aws(\"admin\").datazone.list_domains();", "m.rhai:1:33 list_domains"),
        ("let x = loop { break now(); };", "m.rhai:1:22 now"),
    ] {
        let problems = script("import \"./m\" as m;").file("m.rhai", text).refused();
        assert_eq!(found(&problems[0]), (Code::MisplacedCall, at.to_owned()), "{text}");
        assert_eq!(problems.len(), 1, "{text}");
    }
    let fine = "const N = [1].map(|x| x + 1); fn f() { note(\"x\"); } private fn g() { step(\"s\", || now()) }";
    assert!(script("import \"./m\" as m;").file("m.rhai", fine).program().is_ok());
}

#[test]
fn an_alias_that_is_written_out_must_be_declared() {
    let module = "fn f() { aws(\"admn\") }";
    let problems = script("import \"./m\" as m;").file("m.rhai", module).refused();
    assert_eq!(found(&problems[0]), (Code::UnknownAlias, "m.rhai:1:14 \"admn\"".to_owned()));
    assert_eq!(problems[0].hints, ["did you mean \"admin\"?"]);
}

#[test]
fn a_module_gives_no_closures_away() {
    for text in [
        "export let f = || 1;",
        "let f = |x| x; export f;",
        "fn make() { || 1 }",
        "fn make(n) { let m = n; |x| x + m }",
        "fn make(n) { if n > 1 { return |x| x + n; } 1 }",
    ] {
        let problems = script("import \"./m\" as m;").file("m.rhai", text).refused();
        assert_eq!(problems[0].code, Code::MisplacedCall, "{text}");
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    }
    let fine = "fn use_it(l, n) { l.map(|x| x + n) } fn two(f) { let g = || f.call(); g.call() } fn three(l) { l.map(|x| { return x; }) }";
    assert!(script("import \"./m\" as m;").file("m.rhai", fine).program().is_ok());
}
