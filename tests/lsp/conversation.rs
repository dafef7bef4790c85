//! The conversation itself: its beginning and end, messages that are none, changes in quick
//! succession.

use serde_json::{Value, json};

use super::client::Editor;

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap()
}

#[test]
fn it_begins_with_initialize_and_ends_with_exit() {
    let mut editor = Editor::silent();
    assert_eq!(code(&editor.request("textDocument/hover", json!({}))), -32002);
    let answer = editor.request("initialize", json!({ "capabilities": {} }));
    assert_eq!(answer["result"]["serverInfo"]["name"], "piton");
    let capabilities = &answer["result"]["capabilities"];
    for provider in ["completionProvider", "hoverProvider", "definitionProvider"] {
        assert!(!capabilities[provider].is_null(), "{provider}");
    }
    assert_eq!(code(&editor.request("initialize", json!({ "capabilities": {} }))), -32600);
    let answer = editor.request("shutdown", Value::Null);
    assert!(answer["error"].is_null() && answer.get("result") == Some(&Value::Null), "{answer}");
    assert_eq!(code(&editor.request("textDocument/hover", json!({}))), -32600);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.exit_code(), 0);
}

#[test]
fn exit_without_shutdown_is_told_apart() {
    let mut editor = Editor::new();
    editor.notify("exit", Value::Null);
    assert_eq!(editor.exit_code(), 1);
}

#[test]
fn it_ends_when_the_stream_is_closed() {
    let mut editor = Editor::new();
    editor.open("a.rhai", "let a = ");
    editor.hang_up();
    assert_eq!(editor.exit_code(), 0);
}

#[test]
fn what_is_no_message_is_answered_and_the_conversation_goes_on() {
    let mut editor = Editor::new();
    editor.send("{ no json");
    assert_eq!(code(&editor.read()), -32700);
    editor.send("[1, 2]");
    assert_eq!(code(&editor.read()), -32600);
    editor.send(r#"{"jsonrpc":"2.0","id":7,"method":[]}"#);
    let answer = editor.read();
    assert_eq!((code(&answer), &answer["id"]), (-32600, &json!(7)));
    editor.send_raw("Content-Type: nothing\r\n\r\n");
    assert_eq!(code(&editor.read()), -32700);
    assert_eq!(code(&editor.request("textDocument/teleport", json!({}))), -32601);
    assert_eq!(code(&editor.request("textDocument/hover", json!({ "position": 3 }))), -32602);
    // Of a document that nobody opened nothing is known.
    assert_eq!(editor.ask("hover", "nowhere.rhai", (0, 0)), Value::Null);
    editor.notify("textDocument/didChange", json!({ "contentChanges": "all" }));
    editor.notify("$/whatever", json!({}));
    let problems = editor.open("a.rhai", "let a = ;");
    assert_eq!(problems[0]["code"], "PT0101");
}

#[test]
fn changes_in_quick_succession_are_checked_together() {
    let mut editor = Editor::new();
    let text = "runbook(#{ title: \"t\" });\n";
    editor.open("a.rhai", text);
    for index in 0..200_u64 {
        let at = json!({ "line": 1, "character": index });
        editor.type_into("a.rhai", json!([{ "range": { "start": at, "end": at }, "text": "x" }]));
    }
    let mut checks = 0;
    let version = 201;
    loop {
        let message = editor.read();
        checks += 1;
        if message["params"]["version"] == version {
            assert_eq!(message["params"]["diagnostics"][0]["range"]["end"]["character"], 200);
            break;
        }
    }
    // Each of them alone would be 200; how many come in one go is up to the system.
    assert!(checks < 20, "{checks} checks");
}

#[test]
fn a_huge_document_and_a_deep_one_are_answered() {
    let mut editor = Editor::new();
    let mut huge = "runbook(#{ title: \"t\" });\n".to_owned();
    while huge.len() < 2 << 20 {
        huge.push_str("note(\"one more line of a very long document\");\n");
    }
    assert_eq!(editor.open("huge.rhai", &huge), json!([]));
    let deep = format!("let a = {};", "[".repeat(10_000));
    let problems = editor.open("deep.rhai", &deep);
    assert_eq!(problems[0]["code"], "PT0101");
    assert!(editor.ask("completion", "deep.rhai", (0, 5_000)).is_array());
    assert_eq!(editor.ask("documentSymbol", "deep.rhai", (0, 0)), json!([]));
}
