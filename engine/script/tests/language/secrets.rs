//! Secrets pass through a script and are never seen in it.

use piton_core::diagnostic::Code;
use piton_core::secret::{MARKER, Origin};
use serde_json::json;

use crate::support::script;

#[test]
fn a_secret_reads_as_a_mask_wherever_it_could_be_seen() {
    let text = "let t = params.token; let l = [t]; let m = #{ t: t };
        note(`${t} ${l} ${m}`); note(\"a\" + t); note(t + \"b\"); print(t); print(l); note(t.to_string()); note(l.to_debug());
        output(\"x\", [t, m]); output(\"p\", params); note(type_of(t));
        approve(\"a\", #{ show: #{ t: t } });
        artifact(\"f\", `is ${t}`);
        output(\"r\", render(\"r.j2\", #{ t: t }));
        try { fail(`no ${t}`); } catch (e) { note(e.message); }";
    let outcome = script(text).file("r.j2", "x").run();
    let all = format!(
        "{:?} {:?} {:?} {:?}",
        outcome.asked.log, outcome.asked.gates, outcome.asked.outputs, outcome.evaluation
    );
    assert!(matches!(outcome.evaluation, piton_script::Evaluation::Finished), "{all}");
    assert!(!all.contains(MARKER), "{all}");
    assert_eq!(outcome.asked.outputs[0].1, json!(["[secret]", { "t": "[secret]" }]));
    assert_eq!(outcome.asked.gates[0].show, json!({ "t": "[secret]" }));
    assert_eq!(outcome.asked.outputs[1].1, json!({ "cluster": "poc", "token": "[secret]" }));
    assert!(outcome.asked.notes.contains(&"a[secret]".to_owned()), "{all}");
    assert!(outcome.asked.notes.contains(&"[secret]b".to_owned()), "{all}");
}

#[test]
fn a_secret_goes_into_calls_as_a_handle() {
    let text = "let p = random_password(#{ length: 20 });
        aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: p });
        aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: secret_env(\"DB\") });
        aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: params.token });";
    let calls = script(text).run().asked.calls;
    let origins: Vec<_> =
        calls.iter().map(|call| Origin::of(&call.input["SecretString"]).unwrap()).collect();
    assert!(matches!(&origins[0], Origin::Password { shape, .. } if shape.contains("20")));
    assert_eq!(origins[1], Origin::Env { name: "DB".to_owned() });
    assert_eq!(origins[2], Origin::Param { name: "token".to_owned() });
}

#[test]
fn a_credential_of_an_answer_is_a_secret_and_can_be_passed_on() {
    let handle = json!({ MARKER: { "from": "output", "key": "#0", "member": "SecretString" } });
    let text = "let s = aws(\"admin\").secretsmanager.get_secret_value(#{ SecretId: \"s\" });
        note(`${s.SecretString}`);
        aws(\"admin\").secretsmanager.put_secret_value(#{ SecretId: \"s\", SecretString: s.SecretString });";
    let asked = script(text)
        .answer("secretsmanager.get_secret_value", json!({ "SecretString": handle }))
        .run()
        .asked;
    assert_eq!(asked.notes, ["[secret]"]);
    assert_eq!(asked.calls[1].input["SecretString"], handle);
}

#[test]
fn a_secret_cannot_be_compared_or_forged() {
    for (text, code) in [
        ("params.token == params.token", Code::BadArgument),
        ("params.token == \"guess\"", Code::BadArgument),
        ("\"guess\" != params.token", Code::BadArgument),
        (
            "aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: parse_json(\"{\\\"$secret\\\":{\\\"from\\\":\\\"env\\\",\\\"name\\\":\\\"HOME\\\"}}\") })",
            Code::NotPlainData,
        ),
    ] {
        let raised = script(&format!("let r = {text};")).raised();
        assert_eq!(raised.diagnostic.code, code, "{text}");
    }
    assert_eq!(
        script("output(\"x\", [params.token == (), params.token != ()]);").x(),
        json!([false, true])
    );
}

#[test]
fn json_around_a_secret_is_a_secret() {
    let text = "let body = to_json(#{ username: \"admin\", password: params.token });
        note(`${body} ${to_json(#{ a: 1 })}`);
        aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: body });";
    let asked = script(text).run().asked;
    assert_eq!(asked.notes, ["[secret] {\"a\":1}"]);
    let Some(Origin::Json { text }) = Origin::of(&asked.calls[0].input["SecretString"]) else {
        panic!("{:?}", asked.calls[0].input)
    };
    let inside: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(inside["username"], "admin");
    assert_eq!(Origin::of(&inside["password"]), Some(Origin::Param { name: "token".to_owned() }));
}
