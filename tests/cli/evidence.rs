//! Journals and reports that prove themselves, and what happens when somebody changed them.

use std::fs;

use rusqlite::Connection;

use crate::support::TestEnv;

const FORMS: [&str; 3] = ["html", "md", "json"];

fn finished() -> (TestEnv, String) {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    (env, run)
}

/// Changes the journal behind Piton's back.
fn tamper(env: &TestEnv, sql: &str) {
    Connection::open(env.home().join("journal.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_run_verifies_with_its_head() {
    let (env, run) = finished();
    let verified = env.piton(&["verify", &run, "--json"]).exits(0).json();
    let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
    assert_eq!(verified["verifies"], true);
    assert_eq!(verified["head"], report["journal_hash"]);
    assert_eq!(verified["entries"], report["entries"]);
    assert!(env.piton(&["verify", &run]).exits(0).stdout.contains("verifies"));
}

#[test]
fn a_changed_journal_is_refused_at_its_first_bad_entry() {
    for (sql, why) in [
        (
            "UPDATE entries SET body = replace(body, 'piton', 'Piton') WHERE kind = 'intent'",
            "changed",
        ),
        ("DELETE FROM entries WHERE place & 0xffffffff = 3", "entry 3 is not"),
        ("UPDATE files SET text = text || ' '", "not the program"),
    ] {
        let (env, run) = finished();
        tamper(&env, sql);
        let refused = env.piton(&["verify", &run]).exits(10);
        assert!(refused.stderr.contains("PT0410") && refused.stderr.contains(why), "{refused:?}");
    }
}

#[test]
fn a_report_verifies_against_the_journal_it_was_made_of() {
    let (env, run) = finished();
    for form in FORMS {
        let file = format!("report.{form}");
        env.piton(&["report", &run, "-o", &file]).exits(0);
        let verified = env.piton(&["verify", &file, "--json"]).exits(0).json();
        assert_eq!(
            (&verified["verifies"], &verified["against"]),
            (&true.into(), &"journal".into())
        );
        assert_eq!(verified["text_compared"], true, "{form}");
    }
}

#[test]
fn a_report_of_a_suspended_run_verifies_after_the_run_went_on() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    env.piton(&["report", &run, "-o", "report.html"]).exits(0);
    env.piton(&["cancel", &run]).exits(0);
    env.piton(&["verify", "report.html"]).exits(0);
}

#[test]
fn a_changed_report_is_refused_at_its_line() {
    let (env, run) = finished();
    for form in FORMS {
        let path = env.folder().join(format!("report.{form}"));
        let file = path.to_string_lossy().into_owned();
        env.piton(&["report", &run, "-o", &file]).exits(0);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("piton-role", "other-role", 1)).unwrap();
        let refused = env.piton(&["verify", &file]).exits(10);
        assert!(refused.stderr.contains("is not what the journal says"), "{refused:?}");
        fs::write(&path, text.split("piton-proof").next().unwrap().replace("proof", "")).unwrap();
        assert!(env.piton(&["verify", &file]).exits(10).stderr.contains("no proof"));
    }
}

#[test]
fn evidence_in_a_report_verifies_where_the_run_is_unknown() {
    let (env, run) = finished();
    let elsewhere = TestEnv::new();
    for form in FORMS {
        let path = elsewhere.folder().join(format!("report.{form}")).to_string_lossy().into_owned();
        env.piton(&["report", &run, "-o", &path]).exits(0);
        let refused = elsewhere.piton(&["verify", &path]).exits(10);
        assert!(refused.stderr.contains("--evidence"), "{refused:?}");
        env.piton(&["report", &run, "--evidence", "-o", &path]).exits(0);
        let verified = elsewhere.piton(&["verify", &path, "--json"]).exits(0).json();
        assert_eq!(verified["against"], "report");
        // One letter of an entry that the report carries.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\\\"class\\\":\\\"", "\\\"klass\\\":\\\"", 1)).unwrap();
        let refused = elsewhere.piton(&["verify", &path]).exits(10);
        assert!(refused.stderr.contains("is not the one that was appended"), "{refused:?}");
    }
}

/// What a runbook put into a decision in AWS is found in the journal, and in no other.
#[test]
fn an_anchor_in_aws_is_checked_against_the_journal() {
    let env = TestEnv::new();
    let run = env.piton(&["run", "pfizer_poc", "--sandbox", "--json"]).exits(3).run();
    let mut code = 3;
    while code == 3 {
        let open = env.piton(&["inbox", "--json"]).exits(0).json();
        env.shell(open[0]["approve_with"].as_str().unwrap()).exits(0);
        code = env.piton(&["resume", &run]).code;
    }
    assert_eq!(code, 0);
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let accepted = log.as_array().unwrap().iter();
    let comments: Vec<&str> = accepted
        .filter(|call| call["operation"] == "AcceptSubscriptionRequest")
        .filter_map(|call| call["input"]["decisionComment"].as_str())
        .collect();
    assert!(!comments.is_empty());
    for comment in comments {
        let anchor = comment.split('[').next_back().unwrap().trim_end_matches(']');
        assert!(anchor.starts_with(&format!("piton:{run}:")), "{comment}");
        env.piton(&["verify", &run, "--anchor", anchor]).exits(0);
        env.piton(&["report", &run, "--evidence", "-o", "report.html"]).exits(0);
        env.piton(&["verify", "report.html", "--anchor", anchor]).exits(0);
        fs::remove_file(env.folder().join("report.html")).unwrap();
    }
    let other = format!("piton:{run}:1:{}", "0".repeat(64));
    let refused = env.piton(&["verify", &run, "--anchor", &other]).exits(10);
    assert!(refused.stderr.contains("PT0410"), "{}", refused.stderr);
    env.piton(&["verify", &run, "--anchor", "yes"]).exits(2);
}

/// The guide's recipe: what `verify` prints is one line, always the same, and can be signed.
#[test]
fn what_verify_prints_can_be_signed() {
    let (env, run) = finished();
    let script = format!(
        "set -e
         ssh-keygen -q -t ed25519 -N '' -f key -C ann
         piton verify {run} > head.txt
         ssh-keygen -q -Y sign -f key -n piton head.txt
         echo \"ann $(cat key.pub)\" > signers
         piton verify {run} | ssh-keygen -q -Y verify -f signers -I ann -n piton -s head.txt.sig
         ! echo another | ssh-keygen -q -Y verify -f signers -I ann -n piton -s head.txt.sig"
    );
    let first = env.piton(&["verify", &run]).exits(0).stdout;
    assert_eq!(first.lines().count(), 1);
    assert_eq!(first, env.piton(&["verify", &run]).exits(0).stdout);
    let has_tool = std::process::Command::new("ssh-keygen").arg("-?").output().is_ok();
    if has_tool {
        env.script(&script).exits(0);
    }
}
