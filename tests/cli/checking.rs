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
        [
            "\"PT0111\" \"warning\" 2:5",
            "\"PT0202\" \"error\" 3:18",
            "\"PT0204\" \"error\" 4:18",
            "\"PT0203\" \"error\" 4:30",
        ]
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
fn a_run_with_mistakes_does_not_start() {
    let env = bad();
    let answer = env.piton(&["run", "./bad.rhai", "--sandbox", "--json"]).exits(2);
    assert_eq!(answer.end()["run"], json!(null));
    for code in ["PT0202", "PT0203", "PT0204"] {
        assert!(answer.stderr.contains(code), "{code} is missing in {}", answer.stderr);
    }
    assert_eq!(env.piton(&["ls", "--json"]).exits(0).json(), json!([]));
}
