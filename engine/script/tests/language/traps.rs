//! Measured surprises of Rhai 1.27, and what this language does about each.

use serde_json::json;

use crate::support::{found, hints, script};
use piton_core::diagnostic::Code;

#[test]
fn code_from_text_and_functions_by_name_are_off() {
    for text in ["eval(\"1\");", "let f = Fn(\"note\");"] {
        let problems = script(text).refused();
        assert_eq!(problems[0].code, Code::Syntax, "{text}");
    }
}

#[test]
fn there_is_no_clock_and_no_file() {
    assert_eq!(script("timestamp();").raised().diagnostic.code, Code::UndefinedName);
    let problems = script("import \"/etc/passwd\" as x;").refused();
    assert_eq!(
        found(&problems[0]),
        (Code::ModuleNotFound, "test.rhai:2:8 \"/etc/passwd\"".to_owned())
    );
    let problems = script("let p = \"./a\"; import p as x;").refused();
    assert_eq!(problems[0].code, Code::ModuleNotFound);
}

#[test]
fn a_comparator_that_fails_fails_the_sort() {
    let text = "let l = [2, 1]; try { l.sort(|a, b| throw \"no\"); output(\"x\", \"ok\"); } catch (e) { output(\"x\", [e, l]); }";
    assert_eq!(script(text).x(), json!(["no", [2, 1]]));
    let text = "let l = [1, 1]; try { l.dedup(|a, b| throw \"no\"); output(\"x\", \"ok\"); } catch (e) { output(\"x\", e); }";
    assert_eq!(script(text).x(), json!("no"));
}

#[test]
fn lists_and_maps_work_as_the_book_says() {
    for (text, expected) in [
        ("[1, 2, 3].map(|x| x * 2)", json!([2, 4, 6])),
        ("[1, 2, 3].map(|x, i| x * i)", json!([0, 2, 6])),
        ("[1, 2, 3].map(|| this + 1)", json!([2, 3, 4])),
        ("[1, 2, 3].filter(|x| x > 1)", json!([2, 3])),
        ("let l = [1, 2]; l.for_each(|| this *= 10); l", json!([10, 20])),
        ("[1, 2, 3].reduce(|sum, x| (sum ?? 0) + x)", json!(6)),
        ("[1, 2, 3].reduce(|sum, x, i| sum + x * i, 1)", json!(9)),
        ("[1, 2, 3].reduce_rev(|t, x| t + `${x}`, \"\")", json!("321")),
        ("[1, 2, 3].find(|x| x > 1)", json!(2)),
        ("[1, 2, 3].find(|x| x > 5)", json!(null)),
        ("[1, 2, 3].find_map(|x| if x > 1 { x * 10 } else { () })", json!(20)),
        ("[1, 2, 3].index_of(|x| x > 1)", json!(1)),
        ("[1, 2, 3].index_of(2)", json!(1)),
        ("[1, 2, 3].some(|x| x > 2)", json!(true)),
        ("[1, 2, 3].all(|x| x > 2)", json!(false)),
        ("[1, 2].zip([3, 4], |x, y| x + y)", json!([4, 6])),
        ("let l = [1, 2, 3]; let d = l.drain(|x| x > 1); [l, d]", json!([[1], [2, 3]])),
        ("let l = [1, 2, 3]; let d = l.retain(|x| x > 1); [l, d]", json!([[2, 3], [1]])),
        ("let l = [3, 1, 2]; l.sort(|a, b| a - b); l", json!([1, 2, 3])),
        ("let l = [3, 1, 2]; l.sort(|a, b| a > b); l", json!([3, 2, 1])),
        ("let l = [3, 1, 2]; l.sort(); l", json!([1, 2, 3])),
        ("[3, 1, 2].order(|a, b| a - b)", json!([1, 2, 3])),
        ("let l = [1, 1, 2]; l.dedup(|a, b| a == b); l", json!([1, 2])),
        ("let l = [1, 1, 2]; l.dedup(); l", json!([1, 2])),
        ("#{ a: 1, b: 2 }.map(|k, v| v * 2)", json!({ "a": 2, "b": 4 })),
        ("#{ a: 1, b: 2 }.filter(|k, v| v > 1)", json!({ "b": 2 })),
        ("#{ b: 1, a: 2 }.keys()", json!(["a", "b"])),
        ("\"a\" in #{ a: 1 }", json!(true)),
        ("let m = #{}; m.a = 1; m[\"b\"] = 2; m", json!({ "a": 1, "b": 2 })),
    ] {
        let wrapped = format!("let r = {{ {text} }}; output(\"x\", r);");
        assert_eq!(script(&wrapped).x(), expected, "{text}");
    }
}

#[test]
fn a_list_that_closures_share_and_a_method_holds_is_said_with_the_way_round() {
    let text =
        "let names = [1, 2];\nlet f = || names.map(|n| n + names.len());\noutput(\"x\", f.call());";
    let raised = script(text).raised();
    assert_eq!(raised.diagnostic.code, Code::ScriptError);
    assert!(hints(&raised.diagnostic).contains("copy it first"));
    let text = "let names = [1, 2]; let f = || { let copy = names; copy.map(|n| n + names.len()) }; output(\"x\", f.call());";
    assert_eq!(script(text).x(), json!([3, 4]));
}

#[test]
fn an_absent_member_is_an_error_that_says_how_to_read_it() {
    let raised = script("let m = #{ name: 1 };\nlet x = m.nmae;").raised();
    assert_eq!(found(&raised.diagnostic), (Code::UndefinedName, "test.rhai:3:11 nmae".to_owned()));
    assert!(hints(&raised.diagnostic).contains(".get(\"nmae\")"));
    let text = "let m = #{ a: #{ b: [#{ c: 7 }] }, n: () }; \
                output(\"x\", [m.get(\"z\"), m.get(\"a.b.0.c\"), m.get(\"a.q\", 1), m.get(\"n\", 2), m.get(\"a\")]);";
    assert_eq!(script(text).x(), json!([null, 7, 1, 2, { "b": [{ "c": 7 }] }]));
}

#[test]
fn sleeping_never_blocks_the_thread() {
    for call in ["sleep(5)", "sleep(5.0)", "5.sleep()"] {
        let raised = script(&format!("{call};")).raised();
        assert_eq!(raised.diagnostic.code, Code::BadArgument, "{call}");
        assert!(hints(&raised.diagnostic).contains("sleep(\"5") || call.contains("5.0"), "{call}");
    }
    assert_eq!(script("sleep(\"90s\");").run().asked.log, ["sleep 1m30s"]);
}

#[test]
fn params_and_aws_work_everywhere_and_are_never_captured() {
    let module = "const TOP = params.cluster; fn read() { params.cluster } fn list() { aws(\"owner\").datazone.list_domains(); } fn top() { global::TOP }";
    let text = "import \"./m\" as m;
        fn read() { params.cluster }
        let f = || params.cluster;
        let g = |x| [x].map(|y| y + params.cluster);
        output(\"x\", [params.cluster, read(), f.call(), g.call(\"a\"), m::read(), m::top(), params[\"cluster\"]]);
        fn list() { aws(\"owner\").datazone.list_domains(); }
        list(); m::list(); (|| aws(\"owner\").datazone.list_domains()).call();
        let account = aws(\"owner\"); let dz = account.datazone; const FIXED = aws(\"owner\");
        (|| dz.list_domains()).call(); FIXED.datazone.list_domains();";
    let outcome = script(text).file("m.rhai", module).run();
    assert_eq!(
        outcome.asked.outputs[0].1,
        json!(["poc", "poc", "poc", ["apoc"], "poc", "poc", "poc"])
    );
    assert_eq!(outcome.asked.calls.len(), 5, "{:?}", outcome.evaluation);
}

#[test]
fn params_cannot_be_changed() {
    assert!(
        script("params.cluster = \"other\";").program().is_err() || {
            let raised = script("params.cluster = \"other\";").raised();
            raised.diagnostic.code == Code::ScriptError
        }
    );
    let text =
        "let c = params.cluster; c += \"x\"; params.cluster.len(); output(\"x\", params.cluster);";
    assert_eq!(script(text).x(), json!("poc"));
}

#[test]
fn maps_may_be_nested_as_deep_as_aws_nests_them() {
    let deep = format!("{}1{}", "#{ a: ".repeat(60), " }".repeat(60));
    assert!(script(&format!("let m = {deep}; output(\"x\", m);")).x().is_object());
}

#[test]
fn deep_recursion_ends_with_a_sentence() {
    let raised = script("fn f(n) { f(n + 1) } f(0);").raised();
    assert_eq!(raised.diagnostic.code, Code::Limit);
    let fine = script("fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } output(\"x\", f(60));");
    assert_eq!(fine.x(), json!(60));
}

#[test]
fn a_closure_of_a_module_works_inside_it() {
    let module = "fn run(n) { step(\"in module\", || note(`n is ${n}`)); [n].map(|x| x + 1) }";
    let text = "import \"./m\" as m; output(\"x\", m::run(1));";
    let outcome = script(text).file("m.rhai", module).run();
    assert_eq!(outcome.asked.log, ["open in module", "note n is 1", "close true", "output x=[2]"]);
}

#[test]
fn reserved_words_name_the_quoted_form() {
    let problems = script("let m = #{ default: 1 };").refused();
    assert_eq!(found(&problems[0]), (Code::Syntax, "test.rhai:2:12 default".to_owned()));
    assert!(hints(&problems[0]).contains("\"default\""));
    assert_eq!(script("let m = #{ \"default\": 1 }; output(\"x\", m[\"default\"]);").x(), json!(1));
    assert_eq!(script("let m = #{ self: 1, params: 2, call: 3 }; output(\"x\", [m.self, m[\"params\"], m.call]);").x(), json!([1, 2, 3]));
}

#[test]
fn functions_see_no_outer_variables_and_are_told() {
    let problems = script("let x = 1;\nfn f() { x }").refused();
    assert_eq!(found(&problems[0]), (Code::UndefinedName, "test.rhai:3:10 x".to_owned()));
    assert!(hints(&problems[0]).contains("argument"));
}

#[test]
fn exit_ends_the_script_well() {
    let outcome = script("step(\"s\", || { exit(); }); note(\"after\");").run();
    assert_eq!(outcome.asked.log, ["open s", "close true"]);
    assert!(matches!(outcome.evaluation, piton_script::Evaluation::Finished));
}
