//! `piton check`, and that `run` checks first.

use serde_json::json;

use crate::support::TestEnv;

const BAD: &str = "runbook(#{ title: \"Bad\", accounts: #{ admin: #{} } });\nlet unused = 1;\naws(\"admin\").iam.list_usrs();\naws(\"admin\").iam.get_role(#{ RoleNam: \"x\" });\n";

fn bad() -> TestEnv {
    let env = TestEnv::new();
    std::fs::write(env.folder().join("bad.rhai"), BAD).unwrap();
    env
}

#[test]
fn packaged_runbooks_have_nothing_to_say() {
    let env = TestEnv::new();
    let answer = env.piton(&["check", "pfizer_poc", "--json"]).exits(0);
    assert_eq!(answer.json(), json!({ "diagnostics": [] }));
}

#[test]
fn every_mistake_is_told_at_once_in_order() {
    let env = bad();
    let answer = env.piton(&["check", "./bad.rhai", "--json"]).exits(2).json();
    let told: Vec<String> = answer["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}:{}", row["code"], row["severity"], row["line"], row["column"]))
        .collect();
    assert_eq!(
        told,
        ["\"PT0111\" \"warning\" 2:5", "\"PT0202\" \"error\" 3:18", "\"PT0203\" \"error\" 4:30",]
    );
    let first = &answer["diagnostics"][1];
    assert_eq!(
        (&first["file"], &first["end_line"], &first["end_column"]),
        (&json!("bad.rhai"), &json!(3), &json!(27))
    );
    assert!(first["hints"][0].as_str().unwrap().contains("list_users"));
}

#[test]
fn warnings_alone_are_no_failure() {
    let env = TestEnv::new();
    let text = "runbook(#{ title: \"Fine\" });\napprove(\"go\");\n";
    std::fs::write(env.folder().join("fine.rhai"), text).unwrap();
    let answer = env.piton(&["check", "./fine.rhai"]).exits(0);
    assert!(answer.stderr.contains("warning[PT0210]"), "{}", answer.stderr);
    assert!(answer.stderr.contains("0 errors, 1 warning"), "{}", answer.stderr);
}

#[test]
fn ci_reads_annotations_and_sarif() {
    let env = bad();
    let answer = env.piton(&["check", "./bad.rhai", "--format", "github"]).exits(2);
    assert!(
        answer.stdout.contains("::error file=bad.rhai,line=3,col=18,endColumn=27,title=PT0202::"),
        "{}",
        answer.stdout
    );
    let sarif = env.piton(&["check", "./bad.rhai", "--format", "sarif"]).exits(2).json();
    let result = &sarif["runs"][0]["results"][1];
    assert_eq!((&result["ruleId"], &result["level"]), (&json!("PT0202"), &json!("error")));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        region,
        &json!({ "startLine": 3, "startColumn": 18, "endLine": 3, "endColumn": 27 })
    );
}

#[test]
fn files_are_named_as_ci_knows_them() {
    let env = TestEnv::new();
    let folder = env.folder().join("repo/run books");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir(env.folder().join("repo/.git")).unwrap();
    std::fs::write(folder.join("bad.rhai"), BAD).unwrap();
    let given = folder.join("bad.rhai").display().to_string();
    let answer = env.piton(&["check", &given, "--format", "github"]).exits(2);
    let named = "::error file=run books/bad.rhai,line=3,";
    assert!(answer.stdout.contains(named), "{}", answer.stdout);
    let sarif = env.piton(&["check", &given, "--format", "sarif"]).exits(2).json();
    let location = &sarif["runs"][0]["results"][1]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "run%20books/bad.rhai");
    // Without a repository around it, it is the working directory that counts.
    let answer = env.piton(&["check", "./repo/../repo/run books/bad.rhai", "--json"]).exits(2);
    assert_eq!(answer.json()["diagnostics"][0]["file"], "bad.rhai");
}

#[test]
fn one_of_several_accounts_is_named_where_the_alias_has_many() {
    let env = TestEnv::new();
    let head = "runbook(#{ title: \"Many\", accounts: #{ one: #{}, consumer: #{ many: true } } });\n\
                fn who(alias) { aws(alias) }\n";
    let told = |body: &str| {
        std::fs::write(env.folder().join("many.rhai"), format!("{head}{body}\n")).unwrap();
        let answer = env.piton(&["check", "./many.rhai", "--json"]).json();
        let rows = answer["diagnostics"].as_array().unwrap().clone();
        let short = |row: &serde_json::Value| {
            format!("{} {}:{}", row["code"].as_str().unwrap(), row["line"], row["column"])
        };
        rows.iter().map(short).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told("aws(\"consumer\", \"111122223333\").iam.list_users();"), "");
    assert_eq!(told("aws(\"consumer\").iam.list_users();"), "PT0208 3:5");
    assert_eq!(told("aws(\"one\", \"111122223333\").iam.list_users();"), "PT0208 3:5");
    assert_eq!(told("aws(\"consumer\", \"1111\").iam.list_users();"), "PT0208 3:17");
    assert_eq!(
        told("who(\"one\").iam.list_users(); who(\"consumer\"); who(\"oen\");"),
        "PT0208 3:34 PT0109 3:51"
    );
}

#[test]
fn a_run_with_mistakes_does_not_start() {
    let env = bad();
    let answer = env.piton(&["run", "./bad.rhai", "--sandbox", "--json"]).exits(2);
    assert_eq!(answer.end()["run"], json!(null));
    for code in ["PT0202", "PT0203"] {
        assert!(answer.stderr.contains(code), "{code} is missing in {}", answer.stderr);
    }
    assert_eq!(env.piton(&["ls", "--json"]).exits(0).json(), json!([]));
}
