//! What can be written at a place, also in a text that does not parse.

use serde_json::{Value, json};

use super::client::{Editor, labels};

const HEAD: &str = "runbook(#{\n    title: \"t\",\n    accounts: #{ admin: #{ doc: \"a\" }, reader: #{ doc: \"b\" } },\n    params: #{ cluster: #{ type: \"string\", doc: \"which\" }, size: #{ type: \"int\" } },\n});\nimport \"std/datazone\" as dz;\n";

/// What can be written at `^` in a runbook that goes on like this.
fn offered(rest: &str) -> Vec<Value> {
    Editor::new().complete("a.rhai", &format!("{HEAD}{rest}"))
}

#[track_caller]
fn item<'a>(items: &'a [Value], label: &str) -> &'a Value {
    let found = items.iter().find(|item| item["label"] == label);
    found.unwrap_or_else(|| panic!("no {label} in {:?}", labels(items)))
}

#[track_caller]
fn has(rest: &str, wanted: &[&str]) -> Vec<Value> {
    let items = offered(rest);
    wanted.iter().for_each(|label| assert!(item(&items, label).is_object(), "{label}"));
    items
}

#[test]
fn services_come_after_an_account() {
    let items = has("aws(\"admin\").^", &["datazone", "redshift_data", "service", "assume"]);
    assert!(labels(&items).iter().all(|label| *label != "note"), "nothing else");
    has("let a = aws(\"admin\");\na.^\nnote(\"after\");\n", &["glue", "iam"]);
    // Further services are named in quotes.
    has("aws(\"admin\").service(\"^\")", &["s3", "datazone", "kms"]);
}

#[test]
fn operations_come_after_a_client_with_their_pages() {
    let items = has("aws(\"admin\").datazone.^", &["create_project", "list_projects_all"]);
    let create = item(&items, "create_project");
    assert_eq!(create["detail"], "natural_key");
    assert_eq!(create["textEdit"]["newText"], "create_project(#{ $0 })");
    assert_eq!(create["insertTextFormat"], 2);
    assert_eq!(item(&items, "list_projects_all")["detail"], "every page");
    assert!(!labels(&items).contains(&"create_project_all"));
    // With its brackets there, the name alone is written, over what was begun.
    let items = offered("aws(\"admin\").datazone.crea^(#{});\n");
    let create = item(&items, "create_project");
    assert_eq!(create["textEdit"]["newText"], "create_project");
    assert_eq!(create["textEdit"]["range"]["start"], json!({ "line": 6, "character": 22 }));
}

#[test]
fn clients_are_followed_through_variables_functions_and_closures() {
    has("let c = aws(\"admin\").datazone;\nc.^", &["get_domain"]);
    has("fn f(c) { c.^ }\nf(aws(\"admin\").athena);\n", &["start_query_execution"]);
    has(
        "let a = aws(\"admin\");\nstep(\"s\", || {\n    let g = a.glue;\n    g.^\n});\n",
        &["get_table"],
    );
    has("let b = aws(\"admin\").service(\"s3\");\nb.^", &["head_bucket"]);
    has("aws(\"admin\").region(\"us-east-1\").sts.^", &["get_caller_identity"]);
    has("for d in aws(\"admin\").datazone.^", &["list_domains_all"]);
}

#[test]
fn the_documentation_of_an_operation_comes_when_it_is_asked_for() {
    let mut editor = Editor::new();
    let items = editor.complete("a.rhai", &format!("{HEAD}aws(\"admin\").datazone.^"));
    let create = item(&items, "create_project").clone();
    assert!(create["documentation"].is_null());
    let answer = editor.request("completionItem/resolve", create);
    let doc = answer["result"]["documentation"]["value"].as_str().unwrap();
    assert!(doc.contains("**Required**") && doc.contains("domainIdentifier"), "{doc}");
}

#[test]
fn members_that_are_missing_come_required_ones_first() {
    let items = offered("aws(\"admin\").datazone.create_project(#{ name: \"x\", ^ });\n");
    let names = labels(&items);
    assert_eq!(names[0], "domainIdentifier");
    assert!(names.contains(&"description") && !names.contains(&"name"), "{names:?}");
    let first = &items[0];
    assert_eq!(first["textEdit"]["newText"], "domainIdentifier: ");
    assert!(first["detail"].as_str().unwrap().ends_with("required"));
    // Not finished, with nothing after it.
    assert_eq!(
        labels(&offered("aws(\"admin\").datazone.create_project(#{ dom^"))[0],
        "domainIdentifier"
    );
    // In front of a value the name alone is written.
    let items = offered("aws(\"admin\").datazone.create_project(#{ desc^: \"x\" });\n");
    assert_eq!(item(&items, "description")["textEdit"]["newText"], "description");
    // In quotes, too.
    has("aws(\"admin\").datazone.create_project(#{ \"^\": 1 });\n", &["description"]);
}

#[test]
fn nested_members_come_in_their_place() {
    let call = "aws(\"admin\").glue.create_table(#{ DatabaseName: \"d\", TableInput: #{ Name: \"t\", StorageDescriptor: #{ Columns: [#{ Name: \"a\", ^";
    let items = has(call, &["Type", "Comment"]);
    assert!(!labels(&items).contains(&"Name"));
    has("aws(\"admin\").iam.create_role(#{ Tags: [#{ ^ }] });\n", &["Key", "Value"]);
}

#[test]
fn words_of_the_language_are_quoted() {
    let items = offered("aws(\"admin\").datazone.create_form_type(#{ model: #{ ^ } });\n");
    assert_eq!(labels(&items), ["smithy"]);
    let items = offered("aws(\"admin\").datazone.search(#{ sort: #{ ^ } });\n");
    assert!(labels(&items).contains(&"attribute"), "{:?}", labels(&items));
}

#[test]
fn values_of_an_enumeration_come_in_quotes_and_without() {
    let call = "aws(\"admin\").datazone.create_domain(#{ singleSignOn: #{ type: ";
    assert_eq!(labels(&offered(&format!("{call}\"^\" }} }});\n"))), ["DISABLED", "IAM_IDC"]);
    let items = offered(&format!("{call}\"DIS^"));
    assert_eq!(item(&items, "DISABLED")["textEdit"]["newText"], "DISABLED");
    let items = offered(&format!("{call}^ }} }});\n"));
    assert_eq!(item(&items, "IAM_IDC")["textEdit"]["newText"], "\"IAM_IDC\"");
    let items = offered("aws(\"admin\").redshift.create_cluster(#{ Encrypted: ^ });\n");
    assert_eq!(labels(&items)[..2], ["false", "true"]);
}

#[test]
fn states_come_where_a_status_is_compared_or_awaited() {
    let read = "aws(\"admin\").datazone.get_domain(#{ identifier: \"d\" })";
    has(&format!("let d = {read};\nif d.status == \"^\" {{}}\n"), &["AVAILABLE", "CREATING"]);
    let wait = format!("wait_until(\"it\", || {read}, #{{ path: \"status\", ok: [\"^\"] }});\n");
    has(&wait, &["AVAILABLE", "CREATION_FAILED"]);
}

#[test]
fn members_of_an_answer_come_after_its_dot() {
    let items = has(
        "let d = aws(\"admin\").datazone.get_domain(#{ identifier: \"d\" });\nd.^\n",
        &["rootDomainUnitId", "portalUrl", "get"],
    );
    assert_eq!(items[0]["kind"], 5, "members come first");
    has(
        "let p = aws(\"admin\").datazone.list_projects_all(#{ domainIdentifier: \"d\" });\nfor one in p.items {\n    one.^\n}\n",
        &["projectStatus"],
    );
    has(
        "let d = step(\"s\", || aws(\"admin\").datazone.get_domain(#{ identifier: \"d\" }));\nnote(d.^);\n",
        &["arn"],
    );
    has("let own = #{ first: 1, second: 2 };\nown.^\n", &["first", "second"]);
}

#[test]
fn parameters_and_accounts_are_those_of_the_declaration() {
    let items = has("params.^", &["cluster", "size", "get"]);
    assert_eq!(item(&items, "cluster")["detail"], "string");
    has("params.get(\"^\")", &["cluster", "size"]);
    assert_eq!(labels(&offered("aws(\"^\")")), ["admin", "reader"]);
    assert_eq!(labels(&offered("let x = aws(\"ad^")), ["admin", "reader"]);
}

#[test]
fn the_declaration_itself_is_completed() {
    let mut editor = Editor::new();
    let items = editor.complete("a.rhai", "runbook(#{ title: \"t\", ^ });\n");
    assert_eq!(labels(&items), ["accounts", "params", "summary"]);
    let items = editor.complete("b.rhai", "runbook(#{ title: \"t\", params: #{ a: #{ ^ } } });\n");
    assert_eq!(labels(&items)[0], "type");
    let items = editor
        .complete("c.rhai", "runbook(#{ title: \"t\", params: #{ a: #{ type: \"^\" } } });\n");
    assert!(labels(&items).contains(&"account_id"));
}

#[test]
fn modules_and_their_functions_are_offered() {
    let mut editor = Editor::new();
    editor
        .write("poc/part.rhai", "/// Says hello.\nfn hello(who) { who }\nprivate fn hidden() {}\n");
    let items = editor.complete("poc/poc.rhai", &format!("{HEAD}import \"^"));
    item(&items, "std/datazone");
    item(&items, "./part");
    let items =
        editor.complete("poc/poc.rhai", &format!("{HEAD}import \"./part\" as part;\npart::^"));
    assert_eq!(labels(&items), ["hello"]);
    assert_eq!(items[0]["detail"], "hello(who)");
    assert_eq!(items[0]["documentation"]["value"], "Says hello.");
    has("dz::^", &["ensure_domain", "find_domain"]);
    has("dz::ens^(1, 2);\n", &["ensure_project"]);
}

#[test]
fn the_prelude_and_own_names_come_elsewhere() {
    let items = has(
        "fn greet(who) { who }\nlet mine = 1;\nste^",
        &["step", "wait_until", "greet", "mine", "dz", "params"],
    );
    assert_eq!(item(&items, "dz")["textEdit"]["newText"], "dz::");
    let step = item(&items, "step");
    assert_eq!(step["detail"], "step(name, || ...)");
    assert!(step["documentation"]["value"].as_str().unwrap().contains("Runs the closure"));
    assert!(offered("let new^").is_empty(), "a new name is nobody's");
    assert!(offered("// a comm^ent").is_empty());
}

#[test]
fn options_of_the_prelude_are_members_too() {
    let items = has("approve(\"g\", #{ expires: \"7d\", ^ });\n", &["show", "from", "on_expire"]);
    assert!(!labels(&items).contains(&"expires"));
    has("approve(\"g\", #{ on_expire: \"^\" });\n", &["approve", "reject"]);
    assert_eq!(labels(&offered("manual(\"g\", #{ ^ });\n"))[0], "instructions");
    has("query(aws(\"admin\"), #{ target: #{ ^ } });\n", &["workgroup", "database"]);
}

#[test]
fn a_broken_text_is_completed_all_the_same() {
    // What is wrong stands before the cursor, so that nothing parses up to it.
    let broken = "let x = = 3;\nlet a = aws(\"admin\");\nlet dz1 = a.datazone;\n";
    has(&format!("{broken}dz1.^"), &["create_project"]);
    has(&format!("{broken}dz1.create_project(#{{ ^"), &["domainIdentifier"]);
    has(&format!("{broken}let d = dz1.get_domain(#{{ identifier: 1 }});\nd.^"), &["portalUrl"]);
    has(&format!("{broken}for p in dz1.list_projects(#{{}}).items {{ p.^"), &["projectStatus"]);
    has(&format!("{broken}params.^"), &["cluster"]);
    has(&format!("{broken}aws(\"^"), &["admin"]);
    has(&format!("{broken}dz::^"), &["ensure_domain"]);
}

#[test]
fn a_sign_that_asks_for_nothing_gets_nothing() {
    let mut editor = Editor::new();
    let text = format!("{HEAD}if true {{");
    editor.open("a.rhai", &text);
    let mut asked = |character: u64, sign: &str| {
        let params = json!({
            "textDocument": { "uri": editor.uri("a.rhai") },
            "position": { "line": 6, "character": character },
            "context": { "triggerKind": 2, "triggerCharacter": sign },
        });
        editor.request("textDocument/completion", params)["result"].as_array().unwrap().len()
    };
    assert_eq!(asked(9, "{"), 0);
    assert_eq!(asked(0, "\""), 0);
}
