//! A scripted editor: it starts the server, keeps documents as an editor does, and reads what it is
//! told.

#![expect(clippy::needless_pass_by_value, reason = "messages are written where they are sent")]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestEnv;

/// A server that says nothing for so long has nothing to say: a test fails then, and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor with its server.
pub(super) struct Editor {
    pub(super) env: TestEnv,
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
    version: i64,
    /// Notifications that nobody asked for yet.
    told: VecDeque<Value>,
}

impl Editor {
    /// Starts the server without a word.
    pub(super) fn silent() -> Self {
        let env = TestEnv::new();
        let mut command = env.command(&["lsp"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Some(message) = read_message(&mut stdout) {
                // The test may have ended.
                let _ = sender.send(message);
            }
        });
        Self { env, child, stdin, messages, next_id: 0, version: 0, told: VecDeque::new() }
    }

    /// Starts the server and introduces itself.
    pub(super) fn new() -> Self {
        let mut editor = Self::silent();
        let item = json!({ "completionItem": { "snippetSupport": true } });
        let capabilities = json!({ "textDocument": { "completion": item } });
        let answer = editor
            .request("initialize", json!({ "processId": null, "capabilities": capabilities }));
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], "utf-16");
        editor.notify("initialized", json!({}));
        editor
    }

    /// An editor with one document, which is written to disk, too; with its diagnostics.
    pub(super) fn with(file: &str, text: &str) -> (Self, Value) {
        let mut editor = Self::new();
        editor.write(file, text);
        let diagnostics = editor.open(file, text);
        (editor, diagnostics)
    }

    /// Writes a file into the working directory.
    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.env.folder().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn uri(&self, file: &str) -> String {
        format!("file://{}/{file}", self.env.folder().display())
    }

    // --- messages ---------------------------------------------------------------------------------

    /// Sends bytes as they are.
    pub(super) fn send_raw(&mut self, bytes: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a text as a message.
    pub(super) fn send(&mut self, content: &str) {
        self.send_raw(&format!("Content-Length: {}\r\n\r\n{content}", content.len()));
    }

    pub(super) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// Asks, and waits for the answer.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&message.to_string());
        loop {
            let message = self.read();
            if message["id"] == id {
                return message;
            }
            self.told.push_back(message);
        }
    }

    /// The next message.
    #[track_caller]
    pub(super) fn read(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("the server says something")
    }

    // --- documents --------------------------------------------------------------------------------

    /// Opens a document and answers its diagnostics.
    pub(super) fn open(&mut self, file: &str, text: &str) -> Value {
        self.version += 1;
        let (uri, version) = (self.uri(file), self.version);
        let document =
            json!({ "uri": uri, "languageId": "rhai", "version": version, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
        self.diagnostics(file)
    }

    /// Changes a document without waiting. A change without a range is the whole text.
    pub(super) fn type_into(&mut self, file: &str, changes: Value) {
        self.version += 1;
        let document = json!({ "uri": self.uri(file), "version": self.version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.notify("textDocument/didChange", params);
    }

    /// Puts a text in the place of a document's and answers its diagnostics.
    pub(super) fn change(&mut self, file: &str, text: &str) -> Value {
        self.type_into(file, json!([{ "text": text }]));
        self.diagnostics(file)
    }

    pub(super) fn close(&mut self, file: &str) {
        let document = json!({ "uri": self.uri(file) });
        self.notify("textDocument/didClose", json!({ "textDocument": document }));
    }

    /// Waits for the diagnostics of the present version of a document.
    pub(super) fn diagnostics(&mut self, file: &str) -> Value {
        let version = self.version;
        self.diagnostics_where(file, |params| params["version"] == version)
    }

    /// Waits for diagnostics of a document of which something holds.
    pub(super) fn diagnostics_where(
        &mut self,
        file: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let uri = self.uri(file);
        let is_ours = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri.as_str()
        };
        loop {
            // What is said of other documents waits until somebody asks for it.
            let told = self.told.iter().position(is_ours).and_then(|at| self.told.remove(at));
            let message = told.unwrap_or_else(|| self.read());
            match is_ours(&message) {
                true if holds(&message["params"]) => {
                    return message["params"]["diagnostics"].clone();
                }
                true => {}
                false => self.told.push_back(message),
            }
        }
    }

    // --- questions --------------------------------------------------------------------------------

    /// What is answered to a question about a place in a document.
    pub(super) fn ask(&mut self, method: &str, file: &str, (line, character): (u64, u64)) -> Value {
        let params = json!({
            "textDocument": { "uri": self.uri(file) },
            "position": { "line": line, "character": character },
        });
        let answer = self.request(&format!("textDocument/{method}"), params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Opens a text with the cursor at `^` as a new document and answers what can be written there.
    pub(super) fn complete(&mut self, file: &str, marked: &str) -> Vec<Value> {
        let (text, place) = marked_text(marked);
        self.write(file, &text);
        self.open(file, &text);
        self.ask("completion", file, place).as_array().unwrap().clone()
    }

    /// Opens a text with the cursor at `^` as a new document and answers what is said of that place.
    pub(super) fn hover(&mut self, file: &str, marked: &str) -> String {
        let (text, place) = marked_text(marked);
        self.write(file, &text);
        self.open(file, &text);
        let answer = self.ask("hover", file, place);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    // --- the end ----------------------------------------------------------------------------------

    /// Closes the stream.
    pub(super) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// The exit code of the server, which is ending.
    pub(super) fn exit_code(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.stdin = None;
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a message; nothing at the end of the stream.
fn read_message(stdout: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut content = vec![0; length];
    stdout.read_exact(&mut content).unwrap();
    let message: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(message["jsonrpc"], "2.0");
    Some(message)
}

/// A text without its mark, and where the mark was: line and UTF-16 column.
pub(super) fn marked_text(marked: &str) -> (String, (u64, u64)) {
    let at = marked.find('^').expect("the text has a mark");
    let before = &marked[..at];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
    let place = (u64::try_from(line).unwrap(), u64::try_from(column).unwrap());
    (marked.replacen('^', "", 1), place)
}

/// The labels of what can be written.
pub(super) fn labels(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["label"].as_str().unwrap()).collect()
}
