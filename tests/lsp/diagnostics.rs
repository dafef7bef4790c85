//! Diagnostics while a runbook is written: of the editor's text, at exact ranges, for modules too.

use serde_json::{Value, json};

use super::client::Editor;

const HEAD: &str = "runbook(#{ title: \"t\", accounts: #{ admin: #{ doc: \"a\" } } });\n";

fn codes(problems: &Value) -> Vec<&str> {
    problems.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
}

fn range(line: u64, start: u64, end: u64) -> Value {
    json!({
        "start": { "line": line, "character": start },
        "end": { "line": line, "character": end },
    })
}

#[test]
fn a_misspelt_operation_is_marked_and_the_mark_goes_with_the_mistake() {
    let wrong = format!("{HEAD}aws(\"admin\").datazone.list_domainz(#{{}});\n");
    let (mut editor, problems) = Editor::with("a.rhai", &wrong);
    assert_eq!(codes(&problems), ["PT0202"]);
    let problem = &problems[0];
    assert_eq!(problem["range"], range(1, 22, 34));
    assert_eq!(problem["severity"], 1);
    assert_eq!(problem["source"], "piton");
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains("help: did you mean `list_domains`?"), "{message}");
    let page = problem["codeDescription"]["href"].as_str().unwrap();
    assert!(page.contains("docs/reference/errors.md#pt0202-"), "{page}");
    // The edit that an editor sends: one letter.
    editor.type_into("a.rhai", json!([{ "range": range(1, 33, 34), "text": "s" }]));
    assert_eq!(editor.diagnostics("a.rhai"), json!([]));
}

#[test]
fn the_text_of_the_editor_counts_and_not_that_on_disk() {
    let (mut editor, problems) = Editor::with("a.rhai", HEAD);
    assert_eq!(problems, json!([]));
    let problems = editor.change("a.rhai", "let a = ");
    assert_eq!(codes(&problems), ["PT0101"]);
    // What is not saved anywhere is checked, too.
    let problems = editor.open("new/new.rhai", &format!("{HEAD}fial(\"x\");"));
    assert_eq!(codes(&problems), ["PT0102"]);
}

#[test]
fn columns_count_utf_16_units() {
    let text = format!("{HEAD}note(\"\u{1f600}\u{fc}\"); aws(\"admin\").datazone.nothing();\n");
    let (_, problems) = Editor::with("a.rhai", &text);
    // The face is two units wide, four bytes, and one character.
    assert_eq!(problems[0]["range"], range(1, 35, 42));
}

#[test]
fn lines_may_end_as_they_do_elsewhere() {
    let text = format!("{HEAD}\nlet a = 1;\nnote(a.b.nothing_is_this());\n").replace('\n', "\r\n");
    let (mut editor, problems) = Editor::with("a.rhai", &text);
    assert_eq!(problems[0]["range"], range(3, 9, 24));
    editor.type_into("a.rhai", json!([{ "range": range(3, 6, 25), "text": "" }]));
    assert_eq!(codes(&editor.diagnostics("a.rhai")), ["PT0101"]);
}

#[test]
fn warnings_are_warnings_and_what_is_unused_is_faint() {
    let text = format!("{HEAD}let nobody = 1;\n");
    let (_, problems) = Editor::with("a.rhai", &text);
    assert_eq!(codes(&problems), ["PT0111"]);
    assert_eq!((&problems[0]["severity"], &problems[0]["tags"]), (&json!(2), &json!([1])));
}

#[test]
fn a_module_is_checked_with_the_runbook_that_imports_it() {
    let mut editor = Editor::new();
    let runbook = format!("{HEAD}import \"./part\" as part;\npart::act(aws(\"admin\"));\n");
    let module = "//! A part.\nfn act(account) { account.datazone.list_domains(#{ limit: 3 }) }\n";
    editor.write("poc/poc.rhai", &runbook);
    editor.write("poc/part.rhai", module);
    // The runbook is found on disk; of it nothing is said, since it is not open.
    let problems = editor.open("poc/part.rhai", module);
    assert_eq!(codes(&problems), ["PT0203"]);
    assert_eq!(problems[0]["range"]["start"], json!({ "line": 1, "character": 51 }));
    // While the runbook does not parse, the module is checked alone.
    editor.open("poc/poc.rhai", "runbook(");
    let problems = editor.change("poc/part.rhai", &module.replace("limit", "limits"));
    assert_eq!(codes(&problems), ["PT0203"]);
    editor.change("poc/poc.rhai", &runbook);
    // A change of the module is a change of the runbook.
    let problems = editor.change("poc/part.rhai", "//! A part.\nfn stay(account) { account }\n");
    assert_eq!(problems, json!([]));
    let holds = |params: &Value| params["diagnostics"] != json!([]);
    let problems = editor.diagnostics_where("poc/poc.rhai", holds);
    assert_eq!(codes(&problems), ["PT0102"]);
    assert_eq!(problems[0]["range"]["start"]["line"], 2);
    // Closed without saving, the module is again what is on disk.
    editor.close("poc/part.rhai");
    editor.diagnostics_where("poc/poc.rhai", |params| params["diagnostics"] == json!([]));
}

#[test]
fn a_mistake_in_a_module_that_is_not_open_is_told_and_taken_back() {
    let mut editor = Editor::new();
    let runbook = format!("{HEAD}import \"./part\" as part;\npart::act();\n");
    editor.write("poc/poc.rhai", &runbook);
    editor.write("poc/part.rhai", "fn act() { fial() }\n");
    assert_eq!(editor.open("poc/poc.rhai", &runbook), json!([]));
    let problems = editor.diagnostics_where("poc/part.rhai", |_| true);
    assert_eq!(codes(&problems), ["PT0102"]);
    editor.close("poc/poc.rhai");
    assert_eq!(editor.diagnostics_where("poc/part.rhai", |_| true), json!([]));
}

#[test]
fn a_module_alone_is_no_runbook() {
    let module = "//! Alone.\nfn act(account) {\n    let unused = params.anything;\n    fial(aws(\"whoever\"))\n}\n";
    let (_, problems) = Editor::with("alone.rhai", module);
    // It has no declaration and needs none; its parameters and accounts are its runbook's.
    assert_eq!(codes(&problems), ["PT0111", "PT0102"]);
}

#[test]
fn a_standard_module_has_nothing_to_mend() {
    let mut editor = Editor::new();
    for name in ["datazone", "iam", "redshift", "text"] {
        let path = format!("{}/stdlib/{name}.rhai", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(editor.open(&format!("stdlib/{name}.rhai"), &text), json!([]), "{name}");
    }
}

#[test]
fn what_is_no_script_is_left_alone() {
    let mut editor = Editor::new();
    let document = json!({
        "uri": editor.uri("poc/report.md.j2"), "languageId": "jinja", "version": 1,
        "text": "{{ nothing",
    });
    editor.notify("textDocument/didOpen", json!({ "textDocument": document }));
    // A document that came later is answered first.
    let problems = editor.open("poc/poc.rhai", HEAD);
    assert_eq!(problems, json!([]));
    assert_eq!(editor.ask("hover", "poc/report.md.j2", (0, 4)), Value::Null);
}

#[test]
fn a_text_without_a_path_is_checked() {
    let mut editor = Editor::new();
    let uri = "untitled:Untitled-1";
    let document = json!({ "uri": uri, "languageId": "rhai", "version": 1, "text": "fial();" });
    editor.notify("textDocument/didOpen", json!({ "textDocument": document }));
    let message = editor.read();
    assert_eq!(message["params"]["uri"], uri);
    assert_eq!(codes(&message["params"]["diagnostics"]), ["PT0103", "PT0102"]);
}

#[test]
fn the_calls_that_led_to_a_mistake_are_named() {
    let text = format!(
        "{HEAD}fn name(domain) {{ domain.nmae }}\n\
         note(name(aws(\"admin\").datazone.get_domain(#{{ identifier: \"dzd_x\" }})));\n"
    );
    let (_, problems) = Editor::with("a.rhai", &text);
    let related = problems[0]["relatedInformation"].as_array().unwrap();
    assert_eq!(related[0]["location"]["range"]["start"], json!({ "line": 2, "character": 5 }));
}
