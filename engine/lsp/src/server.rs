//! The conversation with an editor: what it asks, what it tells, and when the documents are checked.
//!
//! Changes are checked once nothing has come for a moment, so that a fast typist waits for one check
//! and not for one a key. Requests are answered at once, with the text as it is then.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    CompletionItem, CompletionOptions, CompletionParams, CompletionResponse,
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DocumentSymbolParams, DocumentSymbolResponse, GotoDefinitionParams, HoverParams,
    HoverProviderCapability, InitializeParams, InitializeResult, Location, OneOf,
    PositionEncodingKind, PublishDiagnosticsParams, SaveOptions, ServerCapabilities, ServerInfo,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnostics::{self, ByDocument};
use crate::documents::{Documents, Root};
use crate::lines::Lines;
use crate::look::Look;
use crate::transport::{self, Received};
use crate::{completion, definition, hover, symbols};

/// How long nothing may come before changes are checked.
const QUIET: Duration = Duration::from_millis(80);

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The editor asked for the end and confirmed it, or closed the stream.
    Orderly,
    /// The editor told the server to exit without asking for the end first.
    Abrupt,
}

/// Serves one editor until it ends the conversation or closes the stream.
///
/// # Errors
/// When the output cannot be written.
pub fn serve(input: impl Read + Send + 'static, output: impl Write) -> io::Result<End> {
    let (sender, messages) = mpsc::channel();
    thread::spawn(move || {
        let mut input = BufReader::new(input);
        // An unreadable stream is at its end; so is one that nobody listens to any more.
        while let Ok(Some(received)) = transport::read(&mut input) {
            if sender.send(received).is_err() {
                break;
            }
        }
    });
    Server::new(output).converse(&messages)
}

/// Where a conversation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Running,
    ShutDown,
}

struct Server<W> {
    output: W,
    phase: Phase,
    with_snippets: bool,
    documents: Documents,
    /// Documents that changed since they were checked.
    changed: BTreeSet<String>,
    check_at: Option<Instant>,
    found: BTreeMap<Root, ByDocument>,
    /// What the editor shows; documents without diagnostics are left out.
    published: ByDocument,
}

impl<W: Write> Server<W> {
    fn new(output: W) -> Self {
        Self {
            output,
            phase: Phase::New,
            with_snippets: false,
            documents: Documents::default(),
            changed: BTreeSet::new(),
            check_at: None,
            found: BTreeMap::new(),
            published: ByDocument::new(),
        }
    }

    fn converse(mut self, messages: &Receiver<Received>) -> io::Result<End> {
        loop {
            let received = match self.check_at {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(Received::Refused(answer)) => {
                    transport::write_value(&mut self.output, &answer)?;
                }
                Ok(Received::Message(Message::Request(request))) => self.request(request)?,
                Ok(Received::Message(Message::Notification(told))) if told.method == "exit" => {
                    return Ok(match self.phase {
                        Phase::ShutDown => End::Orderly,
                        Phase::New | Phase::Running => End::Abrupt,
                    });
                }
                Ok(Received::Message(Message::Notification(told))) => self.notification(told),
                // Nothing is ever asked of the editor.
                Ok(Received::Message(Message::Response(_))) => {}
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Orderly),
            }
        }
    }

    // --- requests ---------------------------------------------------------------------------------

    fn request(&mut self, request: Request) -> io::Result<()> {
        let Request { id, method, params } = request;
        let answer = match (self.phase, method.as_str()) {
            (Phase::New, "initialize") => self.initialize(params),
            (Phase::New, _) => {
                Err((ErrorCode::ServerNotInitialized, "`initialize` comes first".to_owned()))
            }
            (Phase::Running, "shutdown") => {
                self.phase = Phase::ShutDown;
                Ok(Value::Null)
            }
            (Phase::Running, "initialize") => {
                Err((ErrorCode::InvalidRequest, "it is initialized".to_owned()))
            }
            (Phase::Running, _) => {
                let answered =
                    panic::catch_unwind(AssertUnwindSafe(|| self.answer(&method, params)));
                answered.unwrap_or_else(|_| {
                    let message = format!("{method} ended with a bug in Piton, told on stderr");
                    Err((ErrorCode::InternalError, message))
                })
            }
            (Phase::ShutDown, _) => Err((ErrorCode::InvalidRequest, "it is shut down".to_owned())),
        };
        self.respond(id, answer)
    }

    fn respond(&mut self, id: RequestId, answer: Answered) -> io::Result<()> {
        let response = match answer {
            Ok(result) => Response { id, result: Some(result), error: None },
            // The codes are those of the protocol.
            Err((code, message)) => Response::new_err(id, code as i32, message),
        };
        Message::Response(response).write(&mut self.output)
    }

    fn initialize(&mut self, params: Value) -> Answered {
        let params: InitializeParams = read(params)?;
        self.with_snippets = params
            .capabilities
            .text_document
            .and_then(|document| document.completion?.completion_item?.snippet_support)
            .unwrap_or(false);
        self.phase = Phase::Running;
        written(InitializeResult {
            capabilities: capabilities(),
            server_info: Some(ServerInfo {
                name: "piton".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    fn answer(&self, method: &str, params: Value) -> Answered {
        match method {
            "textDocument/completion" => {
                let params: CompletionParams = read(params)?;
                let position = params.text_document_position;
                let trigger = params.context.and_then(|context| context.trigger_character);
                let snippets = self.with_snippets;
                let items = self.look(&position).map(|look| {
                    completion::complete(&look, position.position, trigger.as_deref(), snippets)
                });
                written(items.map(CompletionResponse::Array))
            }
            "completionItem/resolve" => written(resolved(read(params)?)),
            "textDocument/hover" => {
                let position = read::<HoverParams>(params)?.text_document_position_params;
                let hover =
                    self.look(&position).and_then(|look| hover::hover(&look, position.position));
                written(hover)
            }
            "textDocument/definition" => {
                let position = read::<GotoDefinitionParams>(params)?.text_document_position_params;
                written(self.definition(&position))
            }
            "textDocument/documentSymbol" => {
                let uri = read::<DocumentSymbolParams>(params)?.text_document.uri;
                let document = self.documents.get(uri.as_str());
                let outline = document.map(|document| symbols::outline(&document.lines));
                written(outline.map(DocumentSymbolResponse::Nested))
            }
            _ => Err((ErrorCode::MethodNotFound, format!("there is no method {method}"))),
        }
    }

    /// The document of a position, when it is a script that can be looked at.
    fn look(&self, position: &TextDocumentPositionParams) -> Option<Look<'_>> {
        let document = self.documents.get(position.text_document.uri.as_str())?;
        Look::at(&self.documents, document).ok()
    }

    fn definition(&self, position: &TextDocumentPositionParams) -> Option<Location> {
        let look = self.look(position)?;
        let (file, bytes) = definition::definition(&look, position.position)?;
        if file == look.file {
            let uri = position.text_document.uri.clone();
            return Some(Location { uri, range: look.lines.range(bytes) });
        }
        // A standard module is in the binary, and no file.
        let path = look.draft.path_of(&file)?;
        let text = match self.documents.at(&path) {
            Some(document) => document.lines.text().to_owned(),
            None => std::fs::read_to_string(&path).ok()?,
        };
        let uri = diagnostics::address_at(&self.documents, &path)?;
        Some(Location { uri, range: Lines::new(text).range(bytes) })
    }

    // --- notifications ----------------------------------------------------------------------------

    /// What cannot be read of a notification is dropped: nobody waits for an answer.
    fn notification(&mut self, told: Notification) {
        if self.phase != Phase::Running {
            return;
        }
        match told.method.as_str() {
            "textDocument/didOpen" => {
                let Ok(params) = read::<DidOpenTextDocumentParams>(told.params) else { return };
                let document = params.text_document;
                self.changed.insert(document.uri.as_str().to_owned());
                self.documents.open(document.uri, document.version, document.text);
                self.check_at = Some(Instant::now());
            }
            "textDocument/didChange" => {
                let Ok(params) = read::<DidChangeTextDocumentParams>(told.params) else { return };
                let document = params.text_document;
                self.documents.change(&document.uri, document.version, params.content_changes);
                self.changed.insert(document.uri.as_str().to_owned());
                self.check_at = Some(Instant::now() + QUIET);
            }
            "textDocument/didClose" => {
                let Ok(params) = read::<DidCloseTextDocumentParams>(told.params) else { return };
                self.documents.close(&params.text_document.uri);
                self.everything_changed();
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.everything_changed();
            }
            _ => {}
        }
    }

    /// What is on disk counts anew.
    fn everything_changed(&mut self) {
        let all = self.documents.scripts().map(|document| document.uri.as_str().to_owned());
        self.changed = all.collect();
        self.check_at = Some(Instant::now());
    }

    // --- diagnostics ------------------------------------------------------------------------------

    /// Checks the programs of the documents that changed, and tells the editor.
    fn check(&mut self) -> io::Result<()> {
        self.check_at = None;
        let changed = std::mem::take(&mut self.changed);
        let open = self.documents.texts();
        let mut roots: BTreeMap<Root, bool> = BTreeMap::new();
        let mut told: BTreeSet<String> = BTreeSet::new();
        for document in self.documents.scripts() {
            let root = self.documents.root(document, &open);
            let is_changed = changed.contains(document.uri.as_str());
            if is_changed {
                told.insert(document.uri.as_str().to_owned());
            }
            *roots.entry(root).or_default() |= is_changed;
        }
        self.found.retain(|root, _| roots.contains_key(root));
        for (root, is_changed) in roots {
            if is_changed || !self.found.contains_key(&root) {
                let found = diagnostics::check(&self.documents, &root);
                self.found.insert(root, found);
            }
        }
        self.publish(told)
    }

    /// Tells the editor what was found: of the documents in `told` in any case, of others where it
    /// differs from what the editor shows.
    fn publish(&mut self, mut told: BTreeSet<String>) -> io::Result<()> {
        let all = self.all_found();
        let shown = std::mem::take(&mut self.published);
        let changed = |uri: &&String| all.get(*uri) != shown.get(*uri);
        told.extend(all.keys().chain(shown.keys()).filter(changed).cloned());
        for uri in told {
            let diagnostics = all.get(&uri).cloned().unwrap_or_default();
            let version = self.documents.get(&uri).map(|document| document.version);
            // It was made of one.
            let Ok(uri) = uri.parse() else { continue };
            let params = PublishDiagnosticsParams { uri, diagnostics, version };
            let method = "textDocument/publishDiagnostics".to_owned();
            let told = Notification::new(method, params);
            Message::Notification(told).write(&mut self.output)?;
        }
        self.published = all;
        Ok(())
    }

    /// What was found of each document, through whichever program.
    fn all_found(&self) -> ByDocument {
        let mut all = ByDocument::new();
        for (root, found) in &self.found {
            let is_open = self.is_open(root);
            for (uri, problems) in found {
                // What is wrong in a file that is not open is told where its runbook is.
                if !is_open && self.documents.get(uri).is_none() {
                    continue;
                }
                let known = all.entry(uri.clone()).or_default();
                for problem in problems {
                    if !known.contains(problem) {
                        known.push(problem.clone());
                    }
                }
            }
        }
        all
    }

    fn is_open(&self, root: &Root) -> bool {
        match root {
            Root::Runbook(path) | Root::Module(path) | Root::Tests(path) => {
                self.documents.at(path).is_some()
            }
            Root::Untitled(_) => true,
        }
    }
}

/// An answer, or why there is none.
type Answered = Result<Value, (ErrorCode, String)>;

fn read<T: DeserializeOwned>(params: Value) -> Result<T, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn written(answer: impl Serialize) -> Answered {
    serde_json::to_value(answer).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

/// An item with its documentation, which was too much for all of them at once.
fn resolved(mut item: CompletionItem) -> CompletionItem {
    let named = item.data.as_ref().and_then(|data| data["operation"].as_str());
    if let Some((service, operation)) = named.and_then(|named| named.split_once('.')) {
        item.documentation = hover::operation(service, operation).map(completion::markdown);
    }
    item
}

fn capabilities() -> ServerCapabilities {
    let signs = ["\"", ".", ":", "/", "{", ","];
    ServerCapabilities {
        position_encoding: Some(PositionEncodingKind::UTF16),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                include_text: Some(false),
            })),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(signs.map(str::to_owned).to_vec()),
            resolve_provider: Some(true),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}
