//! What is said of the name at a place, where it is defined, and the outline.

use serde_json::{Value, json};

use super::client::{Editor, marked_text};

const HEAD: &str = "runbook(#{\n    title: \"t\",\n    accounts: #{ admin: #{ doc: \"Owns it\" } },\n    params: #{ cluster: #{ type: \"string\", preset: \"poc\", doc: \"which one\" } },\n});\nimport \"std/datazone\" as dz;\nlet admin = aws(\"admin\");\n";

/// What is said of `^` in a runbook that goes on like this.
fn said(rest: &str) -> String {
    Editor::new().hover("a.rhai", &format!("{HEAD}{rest}"))
}

#[track_caller]
fn says(rest: &str, wanted: &[&str]) {
    let said = said(rest);
    for part in wanted {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
}

#[test]
fn an_operation_is_explained() {
    says(
        "admin.datazone.create_proj^ect(#{});\n",
        &[
            "**datazone.create_project** (CreateProject)",
            "- class: natural\\_key",
            "taken back by: delete\\_project",
            "**Required**",
            "`domainIdentifier`: string, required",
            "**Optional** `description`",
            "**Answers**",
            "piton explain datazone.create_project",
        ],
    );
    says("admin.datazone.list_projects_^all(#{});\n", &["**datazone.list_projects**"]);
    // Of nothing known, nothing is said.
    assert_eq!(said("admin.datazone.create_projekt^(#{});\n"), "");
}

#[test]
fn a_service_is_explained() {
    says("admin.data^zone.list_domains();\n", &["**datazone**: DataZone", "195 operations"]);
    says("admin.service(\"s^3\").list_buckets();\n", &["**s3**: S3"]);
    says("admin.identi^ty();\n", &["identity()"]);
}

#[test]
fn a_member_of_an_input_is_explained() {
    says(
        "admin.datazone.create_domain(#{ singleSignOn: #{ ty^pe: \"DISABLED\" } });\n",
        &["**type**: string", "one of IAM\\_IDC, DISABLED"],
    );
    // Its value says the same.
    says(
        "admin.datazone.create_domain(#{ singleSignOn: #{ type: \"DISA^BLED\" } });\n",
        &["**type**: string"],
    );
    says(
        "admin.datazone.create_project(#{ na^me: \"x\" });\n",
        &["required", "1 to 64 characters"],
    );
}

#[test]
fn a_member_of_an_answer_is_explained() {
    says(
        "let d = admin.datazone.get_domain(#{ identifier: \"d\" });\nnote(d.port^alUrl);\n",
        &["**portalUrl**: string"],
    );
}

#[test]
fn functions_are_explained_by_their_documentation() {
    says("st^ep(\"a\", || 1);\n", &["step(name, || ...)", "Runs the closure under a name"]);
    says("dz::ensure_do^main(admin, #{});\n", &["ensure_domain(account, options)", "adopts"]);
    says("dz^::find_domain(admin, \"x\");\n", &["**std/datazone**", "DataZone's house"]);
    says("import \"std/i^am\" as iam;\n", &["**std/iam**"]);
    says("/// Twice.\nfn twice(x) { x + x }\ntwi^ce(1);\n", &["twice(x)", "Twice."]);
    says(
        "wait_until(\"x\", || 1, #{ go^ne: [] });\n",
        &["**gone**, option of `wait_until`", "error codes"],
    );
}

#[test]
fn parameters_and_accounts_are_explained_by_the_declaration() {
    says("note(params.clus^ter);\n", &["**cluster**: string, preset `\"poc\"`", "which one"]);
    says("note(par^ams.cluster);\n", &["params.get"]);
    says("aws(\"adm^in\");\n", &["**admin**, account", "Owns it"]);
}

#[test]
fn a_broken_text_is_explained_too() {
    says("let x = = 1;\nadmin.datazone.create_proj^ect(#{", &["CreateProject"]);
    says("admin.datazone.create_proj^ect(#{", &["CreateProject"]);
}

#[test]
fn the_range_of_an_explanation_is_its_name() {
    let mut editor = Editor::new();
    let (text, place) =
        marked_text(&format!("{HEAD}note(\"\u{1f600}\"); admin.datazone.list_do^mains();\n"));
    editor.open("a.rhai", &text);
    let range = &editor.ask("hover", "a.rhai", place)["range"];
    assert_eq!(range["start"], json!({ "line": 7, "character": 27 }));
    assert_eq!(range["end"], json!({ "line": 7, "character": 39 }));
}

#[test]
fn definitions_are_found() {
    let mut editor = Editor::new();
    editor.write("poc/part.rhai", "//! A part.\nfn hello(who) { who }\n");
    let head = format!("{HEAD}import \"./part\" as part;\nfn own(x) {{ x }}\nlet mine = own(1);\n");
    let mut defined = |rest: &str| -> (String, Value) {
        let (text, place) = marked_text(&format!("{head}{rest}"));
        editor.open("poc/poc.rhai", &text);
        let location = editor.ask("definition", "poc/poc.rhai", place);
        let file = location["uri"].as_str().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default().to_owned();
        (file, location["range"]["start"].clone())
    };
    let at = |line: u64, character: u64| json!({ "line": line, "character": character });
    assert_eq!(defined("part::hel^lo(1);\n"), ("part.rhai".to_owned(), at(1, 3)));
    assert_eq!(defined("import \"./pa^rt\" as again;\n"), ("part.rhai".to_owned(), at(0, 0)));
    assert_eq!(defined("o^wn(2);\n"), ("poc.rhai".to_owned(), at(8, 3)));
    assert_eq!(defined("note(mi^ne);\n"), ("poc.rhai".to_owned(), at(9, 4)));
    assert_eq!(defined("note(params.clus^ter);\n"), ("poc.rhai".to_owned(), at(3, 15)));
    // A standard module is part of the binary.
    assert_eq!(defined("dz::find_^domain();\n"), (String::new(), Value::Null));
}

#[test]
fn the_outline_has_functions_and_steps_inside_each_other() {
    let mut editor = Editor::new();
    let text = "fn prepare(account) {\n    step(\"one\", || {\n        step(\"inner\", || 1);\n    });\n}\nstep(\"two\", || 2);\nstep(";
    editor.open("a.rhai", text);
    let outline = editor.ask("documentSymbol", "a.rhai", (0, 0));
    let names = |symbols: &Value| -> Vec<String> {
        let all = symbols.as_array().unwrap().iter();
        all.map(|symbol| symbol["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&outline), ["prepare", "two"]);
    assert_eq!(outline[0]["detail"], "prepare(account)");
    assert_eq!(names(&outline[0]["children"]), ["one"]);
    assert_eq!(names(&outline[0]["children"][0]["children"]), ["inner"]);
}
