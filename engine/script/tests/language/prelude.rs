//! The prelude's functions: what the host is asked, and what is refused.

use piton_core::diagnostic::Code;
use piton_core::gate::{GateKind, OnExpire};
use piton_core::time::Span;
use piton_script::host::{Keep, QueryEngine};
use serde_json::json;

use crate::support::{Answer, found, hints, script};

const GET: &str = "aws(\"admin\").datazone.get_domain(#{ identifier: \"dzd_abc12345\" })";

#[test]
fn a_step_returns_what_its_closure_returns() {
    let outcome = script(
        "let n = 2; fn three() { 3 } output(\"x\", [step(\"a\", || n + 1), step(\"b\", three)]);",
    )
    .run();
    assert_eq!(outcome.asked.outputs[0].1, json!([3, 3]));
    assert_eq!(outcome.asked.log[..4], ["open a", "close true", "open b", "close true"]);
}

#[test]
fn a_wait_is_given_its_rule_and_returns_the_answer() {
    let text = format!(
        "let d = wait_until(\"domain\", || {GET}, #{{ path: \"status\", ok: [\"AVAILABLE\"], fail: \"FAILED\", gone: \"ResourceNotFoundException\", every: \"30s\", give_up: \"2h\" }}); output(\"x\", [d.status, d.description]);"
    );
    let outcome = script(&text)
        .answer("datazone.get_domain", json!({ "status": "CREATING" }))
        .answer("datazone.get_domain", json!({ "status": "AVAILABLE" }))
        .run();
    assert_eq!(outcome.asked.outputs[0].1, json!(["AVAILABLE", null]));
    let wait = &outcome.asked.waits[0];
    assert_eq!((wait.every, wait.give_up), (Span::from_secs(30), Span::from_secs(7200)));
    assert_eq!((&wait.ok, &wait.fail), (&vec![json!("AVAILABLE")], &vec![json!("FAILED")]));
    assert_eq!(wait.gone, ["ResourceNotFoundException"]);
    let text = format!(
        "output(\"x\", wait_until(\"gone\", || {GET}, #{{ gone: \"ResourceNotFoundException\" }}));"
    );
    let gone = Answer::Error("ResourceNotFoundException", "none");
    assert_eq!(script(&text).answers_with("datazone.get_domain", gone).x(), json!(null));
}

#[test]
fn a_retry_repeats_and_returns() {
    let text = format!(
        "let d = retry(\"role\", || {GET}, #{{ on: [\"AccessDeniedException\"] }}); output(\"x\", d.id);"
    );
    let outcome = script(&text)
        .answers_with("datazone.get_domain", Answer::Error("AccessDeniedException", "wait"))
        .answer("datazone.get_domain", json!({ "id": "dzd_1" }))
        .run();
    assert_eq!(outcome.asked.outputs[0].1, json!("dzd_1"));
    assert_eq!(outcome.asked.retries[0].every, Span::from_secs(5));
}

#[test]
fn a_query_names_its_target_by_short_or_wire_names() {
    let text = "let r = query(aws(\"admin\"), #{ sql: \"select :a\", target: #{ cluster: \"c\", database: \"d\", SecretArn: \"arn:x\" }, parameters: #{ a: 1 }, keep: \"sample\" }); output(\"x\", r.rows);";
    let asked = script(text).run().asked;
    assert_eq!(asked.outputs[0].1, json!([[1]]));
    let (account, spec) = &asked.queries[0];
    assert_eq!(account.alias, "admin");
    assert_eq!(
        json!(spec.target),
        json!({ "ClusterIdentifier": "c", "Database": "d", "SecretArn": "arn:x" })
    );
    assert_eq!((spec.keep, json!(spec.parameters)), (Some(Keep::Sample), json!({ "a": 1 })));
    assert_eq!(spec.place.as_ref().unwrap().line, 2);
}

#[test]
fn a_query_of_athena_names_its_workgroup() {
    let text = "query(aws(\"admin\"), #{ sql: \"select 1\", target: #{ athena: \"w\", database: \"d\", catalog: \"c\" } });";
    let asked = script(text).run().asked;
    let (_, spec) = &asked.queries[0];
    assert_eq!(spec.engine, QueryEngine::Athena);
    assert_eq!(json!(spec.target), json!({ "WorkGroup": "w", "Database": "d", "Catalog": "c" }));
    assert_eq!(spec.keep, None);
}

#[test]
fn chance_and_time_are_the_host_s() {
    let text = "output(\"x\", [now(), uuid()]); sleep_until(\"2026-01-31T12:00:00Z\");";
    let outcome = script(text).run();
    assert_eq!(
        outcome.asked.outputs[0].1,
        json!(["1970-01-01T00:00:00Z", "00000000-0000-4000-8000-000000000000"])
    );
    assert_eq!(outcome.asked.log.last().unwrap(), "sleep_until 2026-01-31T12:00:00Z");
}

#[test]
fn a_gate_is_asked_as_the_author_wrote_it() {
    let text = "let d = approve(\"go live\", #{ show: #{ n: 1 }, from: [\"owner\"], need: 2, exclude: \"admin\", self: true, expires: \"3d\", on_expire: \"approve\", on_reject: \"return\", form: #{ why: #{ optional: true } } });
                manual(\"sign\", #{ instructions: \"sign it\", evidence: \"the paper\" }); output(\"x\", d.decision);";
    let asked = script(text).run().asked;
    assert_eq!(asked.outputs[0].1, json!("approved"));
    let gate = &asked.gates[0];
    assert_eq!((gate.kind, gate.name.as_str(), gate.need), (GateKind::Approval, "go live", 2));
    assert_eq!(
        (gate.show.clone(), &gate.from, &gate.exclude),
        (json!({ "n": 1 }), &vec!["owner".to_owned()], &vec!["admin".to_owned()])
    );
    assert_eq!((gate.expires, gate.on_expire), (Some(Span::from_secs(259_200)), OnExpire::Approve));
    assert!(gate.by_requester && gate.returns_rejection);
    assert_eq!(gate.form, json!({ "why": { "optional": true } }));
    let manual = &asked.gates[1];
    assert_eq!((manual.kind, manual.need, manual.by_requester), (GateKind::Manual, 1, false));
    assert_eq!(manual.instructions.as_deref(), Some("sign it"));
    assert_eq!(manual.evidence.as_deref(), Some("the paper"));
}

#[test]
fn the_world_may_settle_a_gate() {
    let text = format!(
        "let d = approve(\"a\", #{{ settled_by: #{{ call: || {GET}, path: \"status\", ok: [\"AVAILABLE\"], fail: [\"X\"], by: \"id\" }} }}); output(\"x\", [d.settled, d.answer.id]);"
    );
    let asked = script(&text).answer("datazone.get_domain", json!({ "id": "dzd_1" })).run().asked;
    assert_eq!(asked.outputs[0].1, json!([true, "dzd_1"]));
    let rule = asked.gates[0].settled_by.clone().unwrap();
    assert_eq!((rule.path.as_str(), rule.by.as_deref()), ("status", Some("id")));
}

#[test]
fn data_is_parsed_and_written() {
    for (text, expected) in [
        ("parse_json(\"{\\\"a\\\": [1, 2.5, null, true]}\")", json!({ "a": [1, 2.5, null, true] })),
        ("to_json(#{ b: 1, a: [(), \"x\"], c: () })", json!("{\"a\":[null,\"x\"],\"b\":1}")),
        ("#{ b: 1 }.to_json()", json!("{\"b\":1}")),
        ("parse_csv(\"id,name\\n1,a\\n\")", json!([{ "id": "1", "name": "a" }])),
        ("parse_csv(\"1;a\", #{ separator: \";\", header: false })", json!([["1", "a"]])),
        ("asset(\"q.sql\")", json!("select 1")),
        ("asset(\"./sub/q.sql\")", json!("select 2")),
        ("render(\"r.j2\", #{ a: 1 })", json!("r.j2 with {\"a\":1}")),
        ("params.get(\"none\", 1)", json!(1)),
        ("\"cluster\" in params", json!(true)),
        ("params.keys()", json!(["cluster", "token"])),
    ] {
        let rehearsal = script(&format!("output(\"x\", {text});"))
            .file("q.sql", "select 1")
            .file("sub/q.sql", "select 2")
            .file("r.j2", "x");
        assert_eq!(rehearsal.x(), expected, "{text}");
    }
}

#[test]
fn wrong_arguments_are_said_by_name() {
    for (text, part) in [
        ("wait_until(\"w\", || 1, #{ fial: 1 })", "did you mean `fail`?"),
        ("wait_until(\"w\", || 1, #{ ok: 1, every: \"soon\" })", "every"),
        ("wait_until(\"w\", || 1, #{ path: \"x\" })", "`ok`"),
        ("wait_until(\"w\", || 1, 5)", "options"),
        ("retry(\"r\", || 1, #{})", "`on`"),
        ("retry(\"r\", || 1, #{ on: 5 })", "`on`"),
        ("approve(\"a\", #{ needs: 2 })", "did you mean `need`?"),
        ("approve(\"a\", #{ need: 0 })", "from 1 to"),
        ("approve(\"a\", #{ on_expire: \"explode\" })", "on_expire"),
        ("approve(\"a\", #{ settled_by: #{ ok: 1 } })", "`call`"),
        ("approve(\"a\", #{ settled_by: #{ call: || 1 } })", "`ok`"),
        ("manual(\"m\", #{})", "`instructions`"),
        ("sleep(\"long\")", "30s"),
        ("sleep_until(\"tomorrow\")", "2026-01-31T12:00:00Z"),
        ("query(aws(\"admin\"), #{ sql: \"x\" })", "`target`"),
        ("query(aws(\"admin\"), #{ sql: \"x\", target: #{ database: \"d\" } })", "`workgroup`"),
        (
            "query(aws(\"admin\"), #{ sql: \"x\", target: #{ cluster: \"c\", database: \"d\" }, keep: \"some\" })",
            "keep",
        ),
        (
            "query(aws(\"admin\"), #{ sql: \"x\", target: #{ athena: \"w\", user: \"u\" } })",
            "which Athena does not take",
        ),
        (
            "query(aws(\"admin\"), #{ sql: \"x\", target: #{ athena: \"w\", cluster: \"c\" } })",
            "one of them",
        ),
        (
            "query(aws(\"admin\"), #{ sql: \"x\", target: #{ athena: \"w\" }, parameters: #{ a: 1 } })",
            "Athena has no named parameters",
        ),
        ("query(\"admin\", #{ sql: \"x\" })", "an account"),
        ("random_password(#{ length: 2 })", "length"),
        ("secret_env(5)", "a text"),
        ("note(5)", "backticks"),
        ("ensure(5, \"x\")", "true or false"),
        ("parse_json(\"{\")", "not JSON"),
        ("parse_csv(\"a,b\\n1\")", "fields"),
        ("aws(\"admin\").assume(\"role\")", "ARN"),
        ("step(\"s\", \"t\")", "a closure"),
    ] {
        let raised = script(&format!("{text};")).raised();
        assert_eq!(
            raised.diagnostic.code,
            Code::BadArgument,
            "{text}: {}",
            raised.diagnostic.message
        );
        let said = format!("{} {}", raised.diagnostic.message, hints(&raised.diagnostic));
        assert!(said.contains(part), "{text}: {said}");
        assert_eq!(raised.diagnostic.place.as_ref().unwrap().line, 2, "{text}");
    }
}

#[test]
fn missing_files_and_parameters_are_said_with_what_there_is() {
    let raised = script("asset(\"query.sq\");").file("query.sql", "x").raised();
    assert_eq!(found(&raised.diagnostic), (Code::ModuleNotFound, "test.rhai:2:1 asset".to_owned()));
    assert!(hints(&raised.diagnostic).contains("query.sql"));
    let raised = script("let c = params.clster;").raised();
    assert_eq!(
        found(&raised.diagnostic),
        (Code::UnknownParameter, "test.rhai:2:16 clster".to_owned())
    );
    assert!(hints(&raised.diagnostic).contains("`cluster`"));
}

#[test]
fn only_plain_data_leaves_the_script() {
    for value in ["|| 1", "aws(\"admin\")", "[1, [|| 1]]", "#{ a: 1.0 / 0.0 }", "1..3"] {
        let raised = script(&format!("output(\"x\", {value});")).raised();
        assert_eq!(raised.diagnostic.code, Code::NotPlainData, "{value}");
    }
    let raised = script("wait_until(\"w\", || || 1, #{ ok: 1 });").raised();
    assert_eq!(raised.diagnostic.code, Code::NotPlainData);
    let endless = "let m = #{}; for i in 0..300 { let n = #{}; n.m = m; m = n; } output(\"x\", m);";
    assert_eq!(script(endless).raised().diagnostic.code, Code::NotPlainData);
    assert_eq!(script("output(\"x\", ['c', 1.5, (), true]);").x(), json!(["c", 1.5, null, true]));
}
