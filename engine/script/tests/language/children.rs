//! `call_runbook` and `lock`: what they take, what of it reaches the host, what is refused and where.

use std::fs;
use std::path::Path;

use piton_core::diagnostic::Code;
use piton_core::ports::ProgramFile;
use piton_core::secret::Origin;
use piton_script::{Program, check};
use serde_json::json;

use crate::support::{Rehearsal, mark, script};

const CHILD: &str = r#"
runbook(#{ title: "Child", accounts: #{ owner: #{ doc: "o" } }, params: #{
    name: #{ type: "string", pattern: "[a-z]+" },
    count: #{ type: "int", preset: 1 },
    key: #{ type: "secret", optional: true },
} });
aws("owner").iam.get_role(#{ RoleName: params.name });
output("n", params.count);
output("with", params.key);
"#;

/// A script beside the stored runbook `./child.rhai`.
fn caller(body: &str) -> Rehearsal {
    script(body).file("call(./child.rhai)/child.rhai", CHILD)
}

#[test]
fn a_called_runbook_gets_its_parameters_and_accounts() {
    let outcome = caller(
        r#"
        let made = call_runbook("./child.rhai", #{ name: "a", count: () }, #{ accounts: #{ owner: "admin" } });
        output("x", [made["params"].name, made["params"].count, made.accounts]);
        "#,
    )
    .run();
    let x = &outcome.asked.outputs[0].1;
    assert_eq!(*x, json!(["a", 1, { "owner": "admin" }]));
    let spec = &outcome.asked.children[0];
    assert_eq!((spec.runbook.as_str(), spec.program.name()), ("./child.rhai", "child"));
    assert_eq!(spec.given, json!({ "name": "a" }));
}

#[test]
fn a_secret_goes_on_as_a_handle_and_only_to_a_secret_parameter() {
    let outcome =
        caller(r#"call_runbook("./child.rhai", #{ name: "a", key: params.token });"#).run();
    let spec = &outcome.asked.children[0];
    let token = Origin::Param { name: "token".to_owned() };
    assert_eq!(spec.handles, [("key".to_owned(), token)]);
    let own = Origin::Param { name: "key".to_owned() };
    assert_eq!(spec.params.values["key"], own.handle());
    assert!(spec.params.secrets.is_empty() && spec.params.missing_secrets.is_empty());
    let refused = caller(r#"call_runbook("./child.rhai", #{ name: params.token });"#).raised();
    assert_eq!(refused.diagnostic.code, Code::BadArgument);
}

#[test]
fn what_does_not_fit_the_declaration_is_raised_before_anything_is_asked() {
    let cases = [
        (r#"#{ name: "a", coutn: 1 }"#, Code::UnknownParameter, "did you mean `count`?"),
        (r#"#{}"#, Code::MissingParameter, ""),
        (r#"#{ name: "A" }"#, Code::BadParameter, ""),
    ];
    for (params, code, hint) in cases {
        let outcome =
            caller(&format!("let p = {params}; call_runbook(\"./child.rhai\", p);")).run();
        assert!(outcome.asked.children.is_empty(), "{params}");
        let piton_script::Evaluation::Raised(raised) = outcome.evaluation else {
            panic!("{params} was taken");
        };
        assert_eq!(raised.diagnostic.code, code, "{params}");
        assert!(
            raised.diagnostic.message.starts_with("`./child.rhai`: "),
            "{:?}",
            raised.diagnostic
        );
        let hints = &raised.diagnostic.hints;
        assert!(hint.is_empty() || hints.iter().any(|one| one == hint), "{hints:?}");
        assert!(hints.iter().all(|one| !one.starts_with("-p ")), "{hints:?}");
    }
}

#[test]
fn accounts_that_cannot_be_lent_are_raised() {
    for (accounts, message) in [
        ("#{ onwer: \"admin\" }", "declares no account `onwer`"),
        ("#{ owner: \"amdin\" }", "declares no account `amdin`"),
        ("#{ owner: \"admin/111122223333\" }", "`admin` stands for one account"),
    ] {
        let body = format!(
            "let o = #{{ accounts: {accounts} }}; call_runbook(\"./child.rhai\", #{{ name: \"a\" }}, o);"
        );
        let raised = caller(&body).raised();
        assert!(raised.diagnostic.message.contains(message), "{:?}", raised.diagnostic);
    }
}

#[test]
fn the_name_is_a_literal_and_the_runbook_is_there() {
    let computed = caller("let which = \"./child.rhai\"; call_runbook(which, #{});").refused();
    assert_eq!(computed[0].code, Code::NotCallable);
    assert_eq!(mark(&computed[0]), "test.rhai:2:29 call_runbook");
    let missing = script("call_runbook(\"./other.rhai\", #{});").refused();
    assert_eq!(missing[0].code, Code::NotCallable);
    let broken = script("call_runbook(\"./child.rhai\", #{});")
        .file("call(./child.rhai)/child.rhai", "runbook(#{ title: \"C\" }); let")
        .refused();
    assert!(broken[0].message.contains("child.rhai:1:"), "{broken:?}");
}

#[test]
fn a_lock_has_a_name_and_modules_take_none() {
    assert_eq!(script("lock(\"domain poc\");").run().asked.log, ["lock domain poc"]);
    assert_eq!(script("lock(\" \");").raised().diagnostic.code, Code::BadArgument);
    for call in ["lock(\"a\");", "call_runbook(\"./child.rhai\", #{});"] {
        let refused = caller("import \"./m\" as m;").file("m.rhai", call).refused();
        assert_eq!(refused[0].code, Code::MisplacedCall, "{refused:?}");
    }
}

fn write(folder: &Path, name: &str, body: &str) {
    let text = format!("runbook(#{{ title: \"{name}\", accounts: #{{}} }});\n{body}");
    fs::write(folder.join(format!("{name}.rhai")), text).unwrap();
}

#[test]
fn a_program_has_the_files_of_all_that_it_calls() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "top", "call_runbook(\"./middle.rhai\", #{});");
    write(at, "middle", "call_runbook(\"./low.rhai\", #{}); call_runbook(\"./low.rhai\", #{});");
    write(at, "low", "import \"./part\" as part; part::x();");
    fs::write(at.join("part.rhai"), "fn x() { 1 }").unwrap();
    let program = Program::from_folder_or_file(&at.join("top.rhai")).unwrap();
    let paths: Vec<&str> = program.files().iter().map(|file| file.path.as_str()).collect();
    let low = "call(./middle.rhai)/call(./low.rhai)/";
    let wanted = [
        "top.rhai",
        &format!("{low}low.rhai"),
        &format!("{low}part.rhai"),
        "call(./middle.rhai)/middle.rhai",
    ];
    assert_eq!(paths, wanted);
    let stored = Program::from_files("top", program.files().to_vec()).unwrap();
    assert_eq!(stored.digest(), program.digest());
    write(at, "low", "1 + 1;");
    let changed = Program::from_folder_or_file(&at.join("top.rhai")).unwrap();
    assert_ne!(changed.digest(), program.digest());
    assert!(program.asset("call(./middle.rhai)/middle.rhai").is_none());
}

#[test]
fn a_runbook_that_calls_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "one", "call_runbook(\"./two.rhai\", #{});");
    write(at, "two", "call_runbook(\"./three.rhai\", #{});");
    write(at, "three", "call_runbook(\"./one.rhai\", #{});");
    let itself =
        format!("call_runbook(\"../{}/own.rhai\", #{{}});", at.file_name().unwrap().display());
    write(at, "own", &itself);
    for (name, ring) in [("own", "own, own"), ("one", "one, two, three, one")] {
        let path = at.join(format!("{name}.rhai"));
        let problems = Program::from_folder_or_file(&path).unwrap_err();
        assert_eq!(problems[0].code, Code::NotCallable);
        let wanted = format!("the runbook calls itself: {ring}");
        assert!(problems[0].message.contains(&wanted), "{problems:?}");
        assert_eq!(check::check_path(&path)[0].code, Code::NotCallable);
    }
}

/// What the checker says, `CODE line:column`; the first line is the declaration.
fn said(body: &str, child: &str) -> Vec<String> {
    let head = "runbook(#{ title: \"T\", accounts: #{ admin: #{}, many: #{ many: true } } });";
    let file = |path: &str, text: String| ProgramFile { path: path.to_owned(), text };
    let files = vec![
        file("t.rhai", format!("{head}\n{body}")),
        file("call(./child.rhai)/child.rhai", child.to_owned()),
    ];
    let problems = check::check_files("t", files);
    let short = problems.iter().map(|problem| {
        let place = problem.place.as_ref().unwrap();
        format!("{} {}:{}", problem.code, place.line, place.column)
    });
    short.collect()
}

#[test]
fn the_checker_holds_a_call_against_the_declaration() {
    let to_admin = "#{ accounts: #{ owner: \"admin\" } }";
    let cases = [
        (format!("#{{ name: \"a\" }}, {to_admin}"), ""),
        (format!("#{{ nmae: \"a\", name: \"a\" }}, {to_admin}"), "PT0104 2:33"),
        (format!("#{{ name: \"A\" }}, {to_admin}"), "PT0105 2:39"),
        (format!("#{{}}, {to_admin}"), "PT0106 2:1"),
        ("#{ name: \"a\" }".to_owned(), "PT0109 2:1"),
        ("#{ name: \"a\" }, #{ accounts: #{ owner: \"many\" } }".to_owned(), "PT0208 2:1"),
        (
            "#{ name: \"a\" }, #{ acounts: #{ owner: \"admin\" } }".to_owned(),
            "PT0208 2:49|PT0109 2:1",
        ),
    ];
    for (arguments, wanted) in cases {
        let found = said(&format!("call_runbook(\"./child.rhai\", {arguments});"), CHILD);
        let mut wanted: Vec<&str> = wanted.split('|').filter(|one| !one.is_empty()).collect();
        wanted.sort_by_key(|one| one.split(' ').next_back().map(str::to_owned));
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_by_key(|one| one.split(' ').next_back().map(str::to_owned));
        assert_eq!(found, wanted, "{arguments}");
    }
}

#[test]
fn errors_of_a_called_runbook_are_said_at_its_call() {
    let child =
        "runbook(#{ title: \"C\", accounts: #{ admin: #{} } });\naws(\"admin\").iam.list_usrs();";
    assert_eq!(said("call_runbook(\"./child.rhai\", #{});", child), ["PT0215 2:1"]);
}
