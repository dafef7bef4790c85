//! `resume --preview` and `resume --script`: a script that is edited while its run waits.

use serde_json::{Value, json};

use super::diagnosis::databases;
use crate::support::{Answer, TestEnv, runbook, text};

/// A run of the runbook `edited` that waits at its gate, and edits of its script.
struct Edits {
    env: TestEnv,
    run: String,
}

impl Edits {
    fn new() -> Self {
        let env = TestEnv::new();
        let run = env.rehearse("edited", &[]).exits(3).run();
        Self { env, run }
    }

    /// The script with one text in place of another.
    fn script(&self, old: &str, new: &str) -> String {
        let text = std::fs::read_to_string(runbook("edited")).unwrap();
        assert!(text.contains(old), "{old} is not in it");
        let path = self.env.folder().join("edited.rhai");
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
        path.display().to_string()
    }

    fn preview(&self, script: &str, further: &[&str]) -> Answer {
        let mut arguments = vec!["resume", self.run.as_str(), "--preview", "--json"];
        arguments.extend(["--script", script]);
        arguments.extend(further);
        self.env.piton(&arguments)
    }

    fn resume(&self, script: &str, further: &[&str]) -> Answer {
        let mut arguments = vec!["resume", self.run.as_str(), "--json", "--script", script];
        arguments.extend(further);
        self.env.piton(&arguments)
    }

    /// How often each role was created.
    fn created(&self) -> Vec<String> {
        let log = self.env.piton(&["sandbox", "log", "--json"]).exits(0).json();
        let calls = log.as_array().unwrap().iter();
        let created = calls.filter(|call| call["operation"] == "CreateRole");
        created.map(|call| text(&call["input"]["RoleName"])).collect()
    }

    fn entries(&self) -> Vec<Value> {
        let journal = self.env.piton(&["journal", &self.run, "--json"]).exits(0).json();
        journal.as_array().unwrap().clone()
    }

    fn approve(&self) {
        self.env.piton(&["approve", &self.run, "--as", "approver"]).exits(0);
    }

    /// A refusal: the preview changes no byte of a database, and the resume sends nothing that changes
    /// AWS and makes no entry.
    fn refuses(&self, script: &str, further: &[&str], code: i32) -> Value {
        let (before, created, entries) =
            (databases(&self.env.home()), self.created(), self.entries());
        let preview = self.preview(script, further).exits(code).json();
        assert!(before == databases(&self.env.home()), "a database has other bytes than before");
        let end = self.resume(script, further).exits(code).end();
        assert_eq!(end["status"], "refused");
        assert_eq!((self.created(), self.entries()), (created, entries));
        preview
    }
}

#[test]
fn the_stored_script_matches_and_says_what_comes() {
    let edits = Edits::new();
    let preview = edits.env.piton(&["resume", &edits.run, "--preview", "--json"]).exits(0).json();
    assert_eq!(preview["would_resume"], true);
    assert_eq!(preview["matched"], preview["recorded"]);
    assert_eq!(preview["new"][0]["what"], "a decision at the gate decide/access");
    assert_eq!(preview["script"], Value::Null);
    let shown = edits.env.piton(&["resume", &edits.run, "--preview"]).exits(0).stdout;
    assert!(shown.contains("matches: 12 of 12 recorded entries"), "{shown}");
}

#[test]
fn a_comment_changes_nothing_but_opens_the_gate_anew() {
    let edits = Edits::new();
    let script = edits.script("step(\"first\"", "// A comment.\nstep(\"first\"");
    edits.approve();
    let preview = edits.preview(&script, &[]).exits(0).json();
    assert_eq!(preview["files"]["edited.rhai"], "changed");
    assert_eq!(
        preview["new"][0]["what"],
        "the gate decide/access opens anew: answers to it are void"
    );
    // The decision was about the script before: it does not count, and somebody decides again.
    let end = edits.resume(&script, &[]).exits(3).end();
    assert_eq!(end["waiting_for"][0]["gate"], "decide/access");
    edits.approve();
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    assert_eq!(edits.created(), ["one", "two", "three", "four"]);
    let report = edits.env.piton(&["report", &edits.run, "--json"]).exits(0).json();
    let edit = &report["edits"][0];
    assert_eq!((&edit["left"], &edit["stands"]), (&json!([]), &json!([])));
    assert_ne!(edit["from"], edit["to"]);
    assert!(text(&edit["by"]).contains("admin"), "{edit}");
    assert_eq!(report["program"]["hash"], edit["to"]);
    edits.env.piton(&["verify", &edits.run]).exits(0);
}

#[test]
fn a_step_behind_what_is_recorded_is_new() {
    let edits = Edits::new();
    let script =
        edits.script("step(\"last\"", "step(\"between\", || role(\"more\"));\nstep(\"last\"");
    assert_eq!(edits.preview(&script, &[]).exits(0).json()["verdict"], "goes_on");
    edits.resume(&script, &[]).exits(3);
    edits.approve();
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    assert_eq!(edits.created(), ["one", "two", "three", "more", "four"]);
}

#[test]
fn a_step_before_what_is_recorded_is_a_mismatch_with_its_line() {
    let edits = Edits::new();
    let script =
        edits.script("step(\"second\"", "step(\"new\", || role(\"new\"));\nstep(\"second\"");
    for further in [&[][..], &["--accept"]] {
        let preview = edits.refuses(&script, further, 7);
        assert_eq!(preview["verdict"], "mismatch");
        let differs = &preview["differs"][0];
        assert_eq!((&differs["code"], &differs["place"]["line"]), (&json!("PT0401"), &json!(15)));
        assert!(text(&differs["message"]).contains("the step `new`"), "{differs}");
    }
    assert_eq!(edits.created(), ["one", "two", "three"]);
}

#[test]
fn a_changed_input_is_refused_whatever_is_accepted() {
    let edits = Edits::new();
    let script = edits.script("role(\"two\")", "role(\"zwei\")");
    for further in [&[][..], &["--accept"]] {
        let preview = edits.refuses(&script, further, 7);
        let hints = preview["differs"][0]["hints"].to_string();
        assert!(hints.contains("zwei") && hints.contains("two"), "{hints}");
    }
    assert_eq!(edits.created(), ["one", "two", "three"]);
}

#[test]
fn a_removed_step_is_left_when_somebody_accepts_it() {
    let edits = Edits::new();
    let script = edits.script("step(\"second\", || role(\"three\"));\n", "");
    assert_eq!(edits.refuses(&script, &[], 7)["verdict"], "mismatch");
    let preview = edits.preview(&script, &["--accept"]).exits(0).json();
    assert_eq!(preview["verdict"], "goes_on");
    let left = preview["left"].as_array().unwrap();
    let call = left.iter().find(|left| left["effect"] == true).unwrap();
    assert_eq!(
        (&call["key"], &call["what"]),
        (&json!("second#0"), &json!("iam.create_role as `admin`"))
    );
    edits.resume(&script, &["--accept"]).exits(3);
    edits.approve();
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    assert_eq!(edits.created(), ["one", "two", "three", "four"]);
    let edited = edits.entries().into_iter().find(|entry| entry["kind"] == "edited");
    assert!(edited.is_some(), "the edit is an entry");
    edits.env.piton(&["verify", &edits.run]).exits(0);
    // What was left is still taken back with the run.
    let plan = edits.env.piton(&["rollback", &edits.run, "--plan", "--json"]).exits(0).stdout;
    assert!(plan.contains("second#0"), "{plan}");
}

#[test]
fn a_removed_call_moves_the_ones_behind_it_and_is_refused() {
    let edits = Edits::new();
    let script = edits.script("    role(\"one\");\n", "");
    edits.refuses(&script, &[], 7);
    edits.refuses(&script, &["--accept"], 7);
    // The last call of a step can be left: nothing behind it moves.
    let script = edits.script("    role(\"two\");\n", "");
    edits.refuses(&script, &[], 7);
    let preview = edits.preview(&script, &["--accept"]).exits(0).json();
    assert_eq!(preview["left"][0]["key"], "first#1");
}

#[test]
fn a_renamed_or_moved_step_would_repeat_its_calls_and_is_refused() {
    let edits = Edits::new();
    let script = edits.script("step(\"second\"", "step(\"zweiter\"");
    edits.refuses(&script, &[], 7);
    edits.refuses(&script, &["--accept"], 7);
    let moved = "step(\"last\", || role(\"four\"));\nstep(\"second\", || role(\"three\"));";
    let script = edits.script("step(\"second\", || role(\"three\"));\n", "");
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, text.replace("step(\"last\", || role(\"four\"));", moved)).unwrap();
    // It fits as far as can be seen; the call that was left is refused before it is sent again.
    edits.resume(&script, &["--accept"]).exits(3);
    edits.approve();
    let end = edits.env.piton(&["resume", &edits.run, "--json"]).exits(7).end();
    assert_eq!(end["error"]["code"], "PT0401");
    assert_eq!(end["error"]["line"], 8);
    assert_eq!(edits.created(), ["one", "two", "three", "four"]);
}

#[test]
fn approvals_for_the_script_before_stand_only_if_somebody_says_so() {
    let env = TestEnv::new();
    let base = std::fs::read_to_string(runbook("edited")).unwrap();
    let path = env.folder().join("edited.rhai");
    let broken = base.replace("output(\"by\", answer.alias);", "fail(\"not like this\");");
    std::fs::write(&path, broken).unwrap();
    let script = path.display().to_string();
    let run = env.piton(&["run", &script, "--sandbox", "--json"]).exits(3).run();
    env.piton(&["approve", &run, "--as", "approver", "--resume", "--json"]).exits(4);
    std::fs::write(&path, base).unwrap();
    let edits = Edits { env, run };
    let preview = edits.preview(&script, &[]).exits(2).json();
    assert_eq!(preview["verdict"], "not_accepted");
    assert_eq!(preview["stands"], json!(["decide/access"]));
    let refused = edits.resume(&script, &[]).exits(2).end();
    assert_eq!(refused["error"]["code"], "PT0413");
    let next = text(&preview["next"]);
    assert!(next.ends_with("--accept"), "{next}");
    edits.env.shell(&next).exits(0);
    assert_eq!(edits.created(), ["one", "two", "three", "four"]);
    let report = edits.env.piton(&["report", &edits.run, "--json"]).exits(0).json();
    assert_eq!(report["edits"][0]["stands"], json!(["decide/access"]));
}

#[test]
fn a_call_that_failed_is_made_anew_with_what_the_edited_script_asks() {
    let env = TestEnv::new();
    let base = std::fs::read_to_string(runbook("edited")).unwrap();
    let path = env.folder().join("edited.rhai");
    std::fs::write(&path, base.replace("role(\"two\")", "role(\"one\")")).unwrap();
    let script = path.display().to_string();
    let run = env.piton(&["run", &script, "--sandbox", "--json"]).exits(4).run();
    std::fs::write(&path, base).unwrap();
    let edits = Edits { env, run };
    // Without a retry the refusal is recorded, and the call is another one.
    edits.refuses(&script, &[], 7);
    let preview = edits.preview(&script, &["--retry"]).exits(0).json();
    assert_eq!(
        (&preview["verdict"], &preview["new"][0]["key"]),
        (&json!("goes_on"), &json!("first#1"))
    );
    edits.resume(&script, &["--retry"]).exits(3);
    edits.approve();
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    assert_eq!(edits.created(), ["one", "one", "two", "three", "four"]);
}

#[test]
fn a_script_that_fails_or_cannot_load_is_refused() {
    let edits = Edits::new();
    let script = edits.script("let answer", "fail(\"before the gate\");\nlet answer");
    let preview = edits.preview(&script, &[]).exits(4).json();
    assert_eq!(preview["verdict"], "fails");
    edits.resume(&script, &[]).exits(2);
    let script = edits.script("let answer", "let answer = = 1;\nlet answer");
    edits.preview(&script, &[]).exits(2);
    assert!(edits.entries().iter().all(|entry| entry["kind"] != "edited"));
}

#[test]
fn the_editor_does_not_decide_and_new_parameters_have_presets() {
    let edits = Edits::new();
    let with = "accounts: #{ admin: #{ doc: \"who calls\" }, approver";
    let script = edits.script(
        with,
        "params: #{ extra: #{ type: \"string\", preset: \"five\" } },\n    \
         accounts: #{ admin: #{ doc: \"who calls\" }, approver",
    );
    let text_of = std::fs::read_to_string(&script).unwrap();
    let more = "step(\"last\", || role(\"four\"));\nstep(\"extra\", || role(params.extra));";
    std::fs::write(&script, text_of.replace("step(\"last\", || role(\"four\"));", more)).unwrap();
    edits.resume(&script, &["--as", "approver"]).exits(3);
    let refused = edits.env.piton(&["approve", &edits.run, "--as", "approver"]).exits(2);
    assert!(refused.stderr.contains("PT0601"), "{}", refused.stderr);
    edits.resume(&script, &[]).exits(3);
    let script = edits.script("step(\"first\"", "// Again.\nstep(\"first\"");
    edits.resume(&script, &[]).exits(3);
    edits.approve();
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    let required = edits
        .preview(&edits.script("title:", "params: #{ x: #{ type: \"string\" } }, title:"), &[]);
    required.exits(0);
}

#[test]
fn branches_are_compared_each_by_itself() {
    let env = TestEnv::new();
    let run = env.rehearse("branches", &[]).exits(3).run();
    let base = std::fs::read_to_string(runbook("branches")).unwrap();
    let path = env.folder().join("branches.rhai");
    let script = path.display().to_string();
    let edits = Edits { env, run };
    std::fs::write(
        &path,
        base.replace(
            "sleep(\"150s\");\n        [by, role(\"glue-second\")]",
            "[by, role(\"glue-last\")]",
        ),
    )
    .unwrap();
    let preview = edits.preview(&script, &[]).exits(0).json();
    assert_eq!(preview["new"].as_array().unwrap().len(), 2);
    std::fs::write(&path, base.replace("role(\"redshift-first\")", "role(\"redshift-other\")"))
        .unwrap();
    let differs = edits.refuses(&script, &["--accept"], 7)["differs"][0].clone();
    assert!(text(&differs["message"]).contains("publish/[redshift]"), "{differs}");
    std::fs::write(&path, base.replace("step(\"prepare\", || role(\"glue-first\"));", "")).unwrap();
    edits.refuses(&script, &[], 7);
    let preview = edits.preview(&script, &["--accept"]).exits(0).json();
    assert_eq!(preview["left"][0]["branch"], "publish/[glue]");
    edits.resume(&script, &["--accept"]).exits(3);
    for (gate, who) in [("publish/[glue]/accept", "ann"), ("publish/[redshift]/accept", "bob")] {
        edits.env.piton(&["approve", &edits.run, gate, "--as", who]).exits(0);
    }
    edits.env.piton(&["resume", &edits.run, "--json"]).exits(0);
    let created = edits.created();
    assert_eq!(created.iter().filter(|name| *name == "glue-first").count(), 1);
}
