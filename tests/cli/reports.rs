//! Reports: self-contained, escaped, the same each time.

use std::fs;

use crate::support::TestEnv;

#[test]
fn html_is_one_file_with_nothing_from_outside_and_nothing_unescaped() {
    let env = TestEnv::new();
    let run = env.rehearse("waiting", &[]).exits(0).run();
    env.piton(&["report", &run, "--format", "html", "-o", "report.html"]).exits(0);
    let html = fs::read_to_string(env.folder().join("report.html")).unwrap();
    assert!(
        html.starts_with("<!doctype html>") || html.trim_start().starts_with("<!doctype html>")
    );
    for outside in ["http://", "https://", "<script", "<img", "<link", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(html.contains("<svg") && html.contains("<rect"));
    assert!(html.contains("Rehearsal"));
    assert!(html.contains("20m"));
}

#[test]
fn every_form_is_the_same_each_time() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    for form in ["html", "md", "json"] {
        let first = env.piton(&["report", &run, "--format", form]).exits(0).stdout;
        let second = env.piton(&["report", &run, "--format", form]).exits(0).stdout;
        assert_eq!(first, second);
        assert!(first.contains("piton-role"), "{first}");
    }
    let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
    assert_eq!(report["sandbox"], true);
    assert_eq!(report["resources"][0]["kind"], "role");
    assert_eq!(report["resources"][0]["name"], "piton-role");
    assert_eq!(report["calls"][0]["status"], "done");
    assert_eq!(report["outputs"][1]["table"]["columns"][0], "name");
    let text = env.piton(&["report", &run]).exits(0).stdout;
    assert!(text.starts_with("# Quick"), "{text}");
    assert!(text.contains("| a | 1 |"), "{text}");
}

#[test]
fn decisions_are_in_the_report_with_who_and_why() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    env.piton(&["approve", &run, "--as", "approver", "-m", "seen", "--resume"]).exits(0);
    let report = env.piton(&["report", &run, "--json"]).exits(0).json();
    let decision = &report["gates"][0]["decisions"][0];
    assert_eq!(decision["alias"], "approver");
    assert_eq!(decision["comment"], "seen");
    assert_eq!(decision["digest"], report["gates"][0]["digest"]);
    assert_eq!(report["suspensions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_template_of_one_s_own_is_used_and_a_wrong_one_is_refused_with_its_line() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    fs::write(env.folder().join("short.md.j2"), "{{ title }} of {{ run }}: {{ status }}\n")
        .unwrap();
    let short = env.piton(&["report", &run, "--template", "short.md.j2"]).exits(0).stdout;
    assert_eq!(short, format!("Quick of {run}: succeeded\n"));
    fs::write(env.folder().join("wrong.md.j2"), "one\n{% for %}\n").unwrap();
    let wrong = env.piton(&["report", &run, "--template", "wrong.md.j2"]).exits(2);
    assert!(wrong.stderr.contains("PT0701") && wrong.stderr.contains("line 2"), "{}", wrong.stderr);
}
