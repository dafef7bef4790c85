//! An evaluation that the host stops is over, whatever the script does about it.

use crate::support::script;

const CALL: &str = "aws(\"admin\").datazone.get_domain(#{ identifier: \"dzd_abc12345\" })";

/// Every construct that could swallow an end, with `CALL` in it and an effect after it.
#[test]
fn nothing_in_a_script_catches_the_end() {
    let wrapped = [
        "try { CALL; } catch (e) { note(\"caught\"); }",
        "try { [1].map(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].filter(|x| { CALL; true }); } catch { note(\"caught\"); }",
        "try { [1].for_each(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1, 2].reduce(|sum, x| CALL, 0); } catch { note(\"caught\"); }",
        "try { [1, 2].reduce_rev(|sum, x| CALL); } catch { note(\"caught\"); }",
        "try { [1].find(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].find_map(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].index_of(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].some(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].all(|x| CALL); } catch { note(\"caught\"); }",
        "try { [1].zip([2], |x, y| CALL); } catch { note(\"caught\"); }",
        "try { let l = [1]; l.drain(|x| CALL); } catch { note(\"caught\"); }",
        "try { let l = [1]; l.retain(|x| CALL); } catch { note(\"caught\"); }",
        "let l = [3, 2, 1]; l.sort(|a, b| { CALL; 1 });",
        "let l = [3, 2, 1]; try { l.sort_by(|a, b| { CALL; 1 }); } catch { note(\"caught\"); }",
        "try { [3, 2].order(|a, b| { CALL; 1 }); } catch { note(\"caught\"); }",
        "let l = [1, 1]; l.dedup(|a, b| { CALL; true });",
        "try { #{ a: 1 }.map(|v, k| CALL); } catch { note(\"caught\"); }",
        "try { #{ a: 1 }.filter(|v, k| CALL); } catch { note(\"caught\"); }",
        "try { let m = #{ a: 1 }; m.retain(|k, v| CALL); } catch { note(\"caught\"); }",
        "try { step(\"s\", || CALL); } catch { note(\"caught\"); }",
        "try { wait_until(\"w\", || CALL, #{ ok: 1 }); } catch { note(\"caught\"); }",
        "try { retry(\"r\", || CALL, #{ on: \"X\" }); } catch { note(\"caught\"); }",
        "try { undo(|| CALL); } catch { note(\"caught\"); }",
        "try { approve(\"a\", #{ settled_by: #{ call: || CALL, ok: 1 } }); } catch { note(\"caught\"); }",
        "fn deep(n) { if n == 0 { CALL } else { deep(n - 1) } } try { deep(5); } catch { note(\"caught\"); }",
        "let f = || CALL; try { f.call(); } catch { note(\"caught\"); }",
        "try { let text = `${CALL}`; } catch { note(\"caught\"); }",
        "try { try { CALL; } catch { CALL; } } catch { note(\"caught\"); }",
        "try { import \"./late\" as late; } catch { note(\"caught\"); }",
        "import \"./late\" as late; try { late::now_or_never(); } catch { note(\"caught\"); }",
        "import \"./late\" as late; try { late::give(|| CALL); } catch { note(\"caught\"); }",
    ];
    for text in wrapped {
        let text = format!("{}\nnote(\"after\");", text.replace("CALL", CALL));
        // The module's own call hides in a function, where loading cannot see it.
        let module = if text.contains("try { import") {
            format!("fn ask() {{ {CALL} }} const NOW = ask();")
        } else {
            format!("fn now_or_never() {{ {CALL} }} fn give(f) {{ f.call() }}")
        };
        let outcome =
            script(&text).file("late.rhai", &module).stops_at("datazone.get_domain").run();
        assert!(outcome.is_stopped(), "{text}: {:?}", outcome.evaluation);
        let last = outcome.asked.log.last().cloned().unwrap_or_default();
        assert_eq!(last, "datazone.get_domain admin", "{text}: something went on");
    }
}

#[test]
fn every_function_with_an_effect_can_be_the_end() {
    for (call, stop) in [
        ("step(\"s\", || 1)", "open"),
        ("step(\"s\", || 1)", "close"),
        ("wait_until(\"w\", || 1, #{ ok: 1 })", "wait_until"),
        ("retry(\"r\", || 1, #{ on: \"X\" })", "retry"),
        (
            "query(aws(\"admin\"), #{ sql: \"select 1\", target: #{ cluster: \"c\", database: \"d\" } })",
            "query",
        ),
        ("sleep(\"1s\")", "sleep"),
        ("sleep_until(\"2026-01-01T00:00:00Z\")", "sleep_until"),
        ("now()", "now"),
        ("uuid()", "uuid"),
        ("anchor()", "anchor"),
        ("random_password()", "random_password"),
        ("secret_env(\"X\")", "secret_env"),
        ("approve(\"a\")", "gate"),
        ("manual(\"m\", #{ instructions: \"do\" })", "gate"),
        ("undo(|| 1)", "undo"),
        ("output(\"x\", 1)", "output"),
        ("note(\"x\")", "note"),
        ("print(\"x\")", "note"),
        ("artifact(\"x\", \"y\")", "artifact"),
        ("aws(\"admin\").identity()", "identity"),
    ] {
        let text =
            format!("try {{ {call}; }} catch {{ output(\"caught\", 1); }} output(\"after\", 1);");
        let outcome = script(&text).stops_at(stop).run();
        assert!(outcome.is_stopped(), "{call}: {:?}", outcome.evaluation);
        let last = outcome.asked.log.last().cloned().unwrap_or_default();
        assert!(last.starts_with(stop), "{call}: {last}");
    }
}

#[test]
fn a_step_is_not_closed_when_the_evaluation_ends_in_it() {
    let outcome = script(&format!("step(\"s\", || {CALL});")).stops_at("datazone.get_domain").run();
    assert_eq!(outcome.asked.log, ["open s", "datazone.get_domain admin"]);
}

#[test]
fn a_loop_without_effects_ends_and_cannot_be_caught() {
    let raised =
        script("try {\n  loop { }\n} catch { note(\"caught\"); }").operations(20_000).raised();
    assert_eq!(raised.diagnostic.code.as_str(), "PT0309");
    assert_eq!(raised.diagnostic.place.unwrap().file, "test.rhai");
}

#[test]
fn each_effect_lets_the_script_compute_as_long_again() {
    let text = "for i in 0..20 { let n = 0; while n < 200 { n += 1; } note(\"x\"); }";
    assert_eq!(script(text).operations(5_000).run().asked.notes.len(), 20);
    let endless = "let f = || { let n = 0; while n < 2000 { n += 1; } }; for i in 0..20 { f.call(); [1].map(|x| f.call()); }";
    assert_eq!(script(endless).operations(20_000).raised().diagnostic.code.as_str(), "PT0309");
}
