//! What a script catches, and what people get when it does not.

use piton_core::diagnostic::Code;
use serde_json::json;

use crate::support::{Answer, found, hints, mark, script};

const GET: &str = "aws(\"admin\").datazone.get_domain(#{ identifier: \"dzd_abc12345\" })";
const REFUSAL: Answer = Answer::Error("AccessDeniedException", "not yours");

#[test]
fn aws_errors_are_caught_as_maps() {
    let text = format!(
        "try {{ {GET}; }} catch (e) {{ output(\"x\", [e.error, e.code, e.message, e.service, e.operation, \
         e.http_status, e.request_id, e.retryable, e.key, e.details]); }}"
    );
    let x = script(&text).answers_with("datazone.get_domain", REFUSAL).x();
    let expected = json!([
        "aws",
        "AccessDeniedException",
        "not yours",
        "datazone",
        "get_domain",
        400,
        "req-1",
        false,
        "#0",
        null
    ]);
    assert_eq!(x, expected);
}

#[test]
fn an_uncaught_aws_error_is_said_at_its_call_with_the_way_there() {
    let text =
        format!("fn read() {{\n  {GET}\n}}\nstep(\"look\", || {{\n  [1].map(|x| read())\n}});");
    let raised = script(&text).answers_with("datazone.get_domain", REFUSAL).raised();
    assert_eq!(
        found(&raised.diagnostic),
        (Code::AwsRefused, "test.rhai:3:25 get_domain".to_owned())
    );
    assert_eq!(raised.diagnostic.message, "datazone.get_domain: AccessDeniedException: not yours");
    let frames: Vec<_> =
        raised.diagnostic.frames.iter().map(|f| (f.name.as_str(), f.place.line)).collect();
    assert_eq!(frames, [("read", 6), ("closure", 6), ("step `look`", 5)]);
    assert_eq!(raised.thrown.unwrap().code, "AccessDeniedException");
}

#[test]
fn an_error_that_is_thrown_on_keeps_where_it_came_from() {
    for again in ["throw;", "throw e;"] {
        let text = format!("try {{\n  {GET};\n}} catch (e) {{\n  {again}\n}}");
        let raised = script(&text).answers_with("datazone.get_domain", REFUSAL).raised();
        assert_eq!(mark(&raised.diagnostic), "test.rhai:3:25 get_domain", "{again}");
        assert_eq!(raised.thrown.unwrap().request_id.as_deref(), Some("req-1"), "{again}");
    }
}

#[test]
fn an_error_passes_through_every_callback_unchanged() {
    for text in [
        "step(\"a\", || step(\"b\", || GET))",
        "[1].map(|x| GET)",
        "let l = [2, 1]; l.sort(|a, b| { GET; 1 })",
        "retry(\"r\", || GET, #{ on: \"Other\" })",
        "wait_until(\"w\", || GET, #{ ok: 1 })",
        "undo(|| GET)",
        "approve(\"a\", #{ settled_by: #{ call: || GET, ok: 1 } })",
        "import \"./m\" as m; m::give(|| GET)",
    ] {
        let text = format!("{};", text.replace("GET", GET));
        let raised = script(&text)
            .file("m.rhai", "fn give(f) { f.call() }")
            .answers_with("datazone.get_domain", REFUSAL)
            .raised();
        let column = text.find("get_domain").unwrap() + 1;
        assert_eq!(mark(&raised.diagnostic), format!("test.rhai:2:{column} get_domain"), "{text}");
        assert_eq!(raised.thrown.as_ref().unwrap().code, "AccessDeniedException", "{text}");
    }
}

#[test]
fn a_step_that_raises_is_closed_as_failed() {
    let text = format!("try {{ step(\"s\", || {GET}); }} catch {{ }} step(\"t\", || 1);");
    let outcome = script(&text).answers_with("datazone.get_domain", REFUSAL).run();
    let expected = ["open s", "datazone.get_domain admin", "close false", "open t", "close true"];
    assert_eq!(outcome.asked.log, expected);
}

#[test]
fn errors_in_modules_are_said_in_the_module() {
    let module = "fn check(x) {\n  ensure(x > 1, \"too small\");\n}";
    let raised = script("import \"./m\" as m;\nm::check(1);").file("m.rhai", module).raised();
    assert_eq!(found(&raised.diagnostic), (Code::ScriptError, "m.rhai:2:3 ensure".to_owned()));
    assert_eq!(raised.diagnostic.message, "too small");
    assert_eq!(raised.diagnostic.frames[0].name, "check");
    assert_eq!(raised.diagnostic.frames[0].place.file, "test.rhai");
    let raised = script("import \"./m\" as m;").file("m.rhai", "let x = 1 / 0;").raised();
    assert_eq!(raised.diagnostic.place.as_ref().unwrap().file, "m.rhai");
    assert_eq!(raised.diagnostic.frames[0].name, "import \"m.rhai\"");
}

#[test]
fn errors_of_the_runbook_s_closures_are_said_in_the_runbook() {
    let module = "fn give(f) {\n\n\n  f.call()\n}";
    for raise in ["fail(\"no\")", "throw \"no\"", "1 / 0", "#{}.x"] {
        let text = format!("import \"./m\" as m;\nm::give(|| {raise});");
        let raised = script(&text).file("m.rhai", module).raised();
        assert_eq!(raised.diagnostic.place.as_ref().unwrap().file, "test.rhai", "{raise}");
        assert_eq!(raised.diagnostic.place.as_ref().unwrap().line, 3, "{raise}");
        let last = raised.diagnostic.frames.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.place.file.as_str()),
            ("give", "test.rhai"),
            "{raise}"
        );
        let first = &raised.diagnostic.frames[0];
        assert_eq!(
            (first.name.as_str(), first.place.file.as_str(), first.place.line),
            ("closure", "m.rhai", 4),
            "{raise}"
        );
    }
}

#[test]
fn a_scripts_own_errors_say_what_they_say() {
    for (text, message) in [
        ("fail(\"broken\");", "broken"),
        ("ensure(1 > 2, \"broken\");", "broken"),
        ("throw \"broken\";", "broken"),
        ("throw #{ message: \"broken\" };", "broken"),
        ("throw #{ a: 1 };", "{\"a\":1}"),
    ] {
        let raised = script(text).raised();
        assert_eq!(raised.diagnostic.code, Code::ScriptError, "{text}");
        assert_eq!(raised.diagnostic.message, message, "{text}");
        assert_eq!(raised.diagnostic.place.as_ref().unwrap().line, 2, "{text}");
        assert!(raised.thrown.is_none());
    }
    let caught =
        "try { fail(\"broken\"); } catch (e) { output(\"x\", [e.message, e.code, e.error]); }";
    assert_eq!(script(caught).x(), json!(["broken", "PT0301", "piton"]));
}

#[test]
fn unknown_functions_and_wrong_arguments_are_said_with_the_right_ones() {
    let raised = script("stpe(\"a\", || 1);").raised();
    assert_eq!(found(&raised.diagnostic), (Code::UndefinedName, "test.rhai:2:1 stpe".to_owned()));
    assert!(hints(&raised.diagnostic).contains("did you mean `step`?"));
    let raised = script("step(\"a\");").raised();
    assert_eq!(raised.diagnostic.code, Code::BadArgument);
    assert!(hints(&raised.diagnostic).contains("step(name, || ...)"));
    let raised = script("step(\"a\", 5);").raised();
    assert_eq!(found(&raised.diagnostic), (Code::BadArgument, "test.rhai:2:1 step".to_owned()));
    let raised = script("step(\" \", || 1);").raised();
    assert_eq!(raised.diagnostic.code, Code::BadArgument);
}

#[test]
fn a_panic_of_the_host_is_a_bug_and_not_caught() {
    let text = format!("try {{ [1].map(|x| {GET}); }} catch {{ note(\"caught\"); }}");
    let outcome = script(&text).answers_with("datazone.get_domain", Answer::Panic).run();
    assert!(outcome.asked.notes.is_empty());
    let piton_script::Evaluation::Raised(raised) = outcome.evaluation else { panic!("no error") };
    assert_eq!(raised.diagnostic.code, Code::Bug);
    assert!(raised.diagnostic.message.contains("the host broke"));
    assert_eq!(raised.diagnostic.place.as_ref().unwrap().line, 2);
}

#[test]
fn the_engine_s_own_refusals_have_their_codes() {
    let wait = format!(
        "wait_until(\"w\", || {GET}, #{{ path: \"status\", ok: \"AVAILABLE\", fail: \"FAILED\" }});"
    );
    let raised =
        script(&wait).answer("datazone.get_domain", json!({ "status": "FAILED" })).raised();
    assert_eq!(
        found(&raised.diagnostic),
        (Code::WaitFailed, "test.rhai:2:1 wait_until".to_owned())
    );
    assert_eq!(raised.thrown.unwrap().details, json!({ "state": "FAILED" }));
    assert_eq!(script(&wait).raised().diagnostic.code, Code::GaveUp);
}

#[test]
fn a_host_that_stops_in_an_answer_stops_the_script() {
    let outcome =
        script(&format!("{GET};")).answers_with("datazone.get_domain", Answer::Stop).run();
    assert!(outcome.is_stopped());
}
