//! `parallel` and `parallel_map`: what branches get, share, hand back and raise.

use piton_core::diagnostic::Code;
use serde_json::json;

use crate::support::{Answer, mark, script};

#[test]
fn parallel_hands_back_what_each_branch_returns() {
    let x = script(
        r#"output("x", parallel(#{ b: || 1 + 1, a: || #{ id: "p" }, c: || { return [()]; } }));"#,
    )
    .x();
    assert_eq!(x, json!({ "a": { "id": "p" }, "b": 2, "c": [null] }));
    assert_eq!(script("output(\"x\", parallel(#{}));").x(), json!({}));
}

#[test]
fn parallel_map_keeps_the_order_of_the_list_and_may_take_the_index() {
    let x = script(r#"output("x", parallel_map(["a", "b", "c"], |item, i| `${item}${i}`));"#).x();
    assert_eq!(x, json!(["a0", "b1", "c2"]));
    let outcome = script("parallel_map([1, 2, 3], |n| n, #{ max: 2 });").run();
    assert_eq!(outcome.asked.log, ["parallel_map 0,1,2 at 2"]);
}

#[test]
fn a_branch_has_copies_of_what_it_captured() {
    let x = script(
        r#"
        let count = 0;
        let list = [#{ n: 1 }];
        let change = |by| { count += by; list.push(#{ n: by }); list[0].n += by; list.len() };
        let inside = parallel(#{
            a: || { change.call(1); count += 1; list[0].n = 9; [count, list[0].n] },
            b: || change.call(5),
        });
        output("x", [count, list, inside]);
        "#,
    )
    .x();
    assert_eq!(x, json!([0, [{ "n": 1 }], { "a": [1, 9], "b": 2 }]));
}

#[test]
fn params_and_accounts_work_in_branches() {
    let script = script(
        r#"
        fn made(account, name) { account.datazone.create_domain(#{ name: name, domainExecutionRole: "arn:aws:iam::111122223333:role/r" }) }
        parallel(#{ one: || made(aws("admin"), params.cluster), two: || step("s", || made(aws("owner"), "b")) });
        "#,
    );
    let calls = script.run().asked.calls;
    let who: Vec<_> = calls.iter().map(|call| call.account.to_string()).collect();
    assert_eq!(who, ["admin", "owner"]);
    assert_eq!(calls[0].input["name"], "poc");
}

#[test]
fn the_error_of_a_branch_is_caught_with_its_name() {
    let failing = |body: &str| {
        script(&format!(r#"try {{ {body} }} catch (e) {{ output("x", [e.code, e.branch]); }}"#))
            .answers_with("datazone.get_domain", Answer::Error("AccessDeniedException", "no"))
            .x()
    };
    let call = r#"aws("admin").datazone.get_domain(#{ identifier: "dzd_abcdefghi" })"#;
    let x = failing(&format!("parallel(#{{ good: || 1, bad: || {call} }})"));
    assert_eq!(x, json!(["AccessDeniedException", "bad"]));
    let x = failing(&format!("parallel_map([1, 2], |n| if n == 2 {{ {call} }})"));
    assert_eq!(x, json!(["AccessDeniedException", 1]));
    let x = failing(&format!("parallel(#{{ outer: || parallel(#{{ inner: || {call} }}) }})"));
    assert_eq!(x, json!(["AccessDeniedException", "outer"]));
    let x = script(r#"try { parallel(#{ a: || throw "no" }) } catch (e) { output("x", e); }"#).x();
    assert_eq!(x, json!("no"));
    let x = script(r#"try { step("s", || ()) } catch (e) {} try { fail("x") } catch (e) { output("x", e.branch) }"#).x();
    assert_eq!(x, json!(null));
}

#[test]
fn an_error_that_nothing_catches_shows_the_branch_as_a_frame() {
    let raised =
        script("parallel(#{\n    bad: || {\n        fail(\"broken\");\n    },\n});").raised();
    assert!(mark(&raised.diagnostic).starts_with("test.rhai:4:"), "{:?}", raised.diagnostic);
    let frames: Vec<_> = raised.diagnostic.frames.iter().map(|frame| frame.name.as_str()).collect();
    assert_eq!(frames, ["branch `bad`"]);
}

#[test]
fn tolerated_failures_make_a_table() {
    let x = script(
        r#"
        let rows = parallel_map(["a", "b", "c", "d"], |item| {
            if item == "b" { fail("b is bad"); }
            if item == "d" { throw #{ code: "Own", message: "m" }; }
            item + "!"
        }, #{ tolerate: "50%" });
        output("x", rows.map(|row| [row.index, row.item, row.ok, row.state, row.value,
            if row.error == () { () } else { [row.error.message, row.error.branch] }]));
        "#,
    )
    .x();
    assert_eq!(
        x,
        json!([
            [0, "a", true, "done", "a!", null],
            [1, "b", false, "failed", null, ["b is bad", 1]],
            [2, "c", true, "done", "c!", null],
            [3, "d", false, "failed", null, ["m", 3]],
        ])
    );
    let all = script("output(\"x\", parallel_map([1], |n| n, #{ tolerate: 0 })[0].value);").x();
    assert_eq!(all, json!(1));
}

#[test]
fn more_failures_than_tolerated_raise_with_the_table() {
    let body =
        r#"parallel_map([1, 2, 3], |n| if n < 3 { 1 / 0 } else { n }, #{ tolerate: "40%" })"#;
    let x = script(&format!(
        r#"try {{ {body} }} catch (e) {{ output("x", [e.code, e.details.map(|row| row.state)]); }}"#
    ))
    .x();
    assert_eq!(x, json!(["TooManyFailed", ["failed", "failed", "stopped"]]));
    let raised = script(body).raised();
    assert_eq!(raised.diagnostic.code, Code::TooManyFailed);
    assert!(raised.diagnostic.message.starts_with("2 of 3 items failed, and 1 may: item 0: "));
}

#[test]
fn a_branch_hands_back_plain_data_only() {
    for body in ["|| 1", "aws(\"admin\")"] {
        let raised = script(&format!("parallel(#{{ a: || {{ {body} }} }});")).raised();
        assert_eq!(raised.diagnostic.code, Code::NotPlainData, "{body}");
    }
}

#[test]
fn nothing_in_a_script_catches_the_end_of_a_branch() {
    for script_text in [
        "try { parallel(#{ a: || { try { sleep(\"1h\") } catch {} note(\"after\"); } }) } catch {} note(\"after\");",
        "try { parallel_map([1], |n| [1].map(|m| sleep(\"1h\")), #{ tolerate: \"100%\" }) } catch {} note(\"after\");",
        "parallel(#{ a: || { try { parallel(#{ b: || sleep(\"1h\") }) } catch {} note(\"after\") } }); note(\"after\");",
    ] {
        let outcome = script(script_text).stops_at("sleep").run();
        assert!(outcome.is_stopped(), "{script_text}");
        assert_eq!(outcome.asked.notes, [] as [&str; 0], "{script_text}");
    }
}

#[test]
fn an_endless_loop_in_a_branch_ends_the_script() {
    let body = "try { parallel(#{ a: || { loop {} } }) } catch {}";
    let raised = script(body).operations(10_000).raised();
    assert_eq!(raised.diagnostic.code, Code::Limit);
    let raised = script("parallel(#{ a: || aws(\"admin\").iam.list_users(), b: || 1 });")
        .answers_with("iam.list_users", Answer::Panic)
        .raised();
    assert_eq!(raised.diagnostic.code, Code::Bug);
}

#[test]
fn wrong_arguments_are_said_by_name() {
    for (text, part) in [
        ("parallel([|| 1]);", "a map of closures"),
        ("parallel(#{ a: 1 });", "takes a closure"),
        ("parallel_map(#{}, |x| x);", "a list first"),
        ("parallel_map([1], 1);", "takes a closure"),
        ("parallel_map([1], |x| x, #{ max: 0 });", "from 1 to 256"),
        ("parallel_map([1], |x| x, #{ tolerate: \"ten\" });", "\"10%\""),
        ("parallel_map([1], |x| x, #{ tolerate: -1 });", "\"10%\""),
        ("parallel_map([1], |x| x, #{ tolerate: \"101%\" });", "\"10%\""),
        ("parallel_map([1], |x| x, #{ ramp: 1 });", "true or false"),
        ("parallel_map([1], |x| x, #{ maxx: 1 });", "no option `maxx`"),
    ] {
        let raised = script(text).raised();
        assert_eq!(raised.diagnostic.code, Code::BadArgument, "{text}");
        assert!(raised.diagnostic.message.contains(part), "{text}: {}", raised.diagnostic.message);
    }
}
