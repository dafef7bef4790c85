//! A home, an AWS in memory, and ways to break both.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use piton_core::account::{AccountRef, Principal};
use piton_core::entry::{Entry, Head, StoredEntry};
use piton_core::event::RunEvent;
use piton_core::gate::{Admission, Decider, Decision, Verdict};
use piton_core::key::Key;
use piton_core::limits::Bounds;
use piton_core::ports::{
    Answer, Arrival, AwsError, Call, CallFailure, CallPreview, Clock, Entropy, EventSink, HeldLock,
    Holder, IdentifyError, Journal, JournalError, Lease, Mail, NewRun, OpenGate, Operations,
    Pending, Person, ProgramFile, RunId, RunRow,
};
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};
use piton_journal::SqliteJournal;
use piton_runner::vault::SealingKey;
use piton_runner::{
    Driven, Engine, Interrupt, Options, Ports, Resume, RunnerError, Start, new_run_id,
};
use piton_script::Program;
use piton_script::params::{self, Given};
use serde_json::{Value, json};

/// Where a crash happens: the how-manieth boundary, counted over appends and sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    BeforeAppend,
    AfterAppend,
    BeforeEffect,
    AfterEffect,
}

/// Kills the "process" at a boundary: from then on nothing is written and nothing is sent.
#[derive(Default)]
pub(crate) struct Killer {
    at: Mutex<Option<(Boundary, u64)>>,
    appends: AtomicU64,
    sends: AtomicU64,
    dead: std::sync::atomic::AtomicBool,
    /// The commit that the disk refuses, and how.
    disk: Mutex<Option<(u64, Disk)>>,
    /// How large a journal may become; as usual when it is not said.
    bounds: Mutex<Option<Bounds>>,
}

/// How a disk refuses a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// This one, and has room for the next.
    Once,
    /// This one and all after it.
    FromThenOn,
    /// It took it, and says that it did not.
    Taken,
}

impl Killer {
    /// A process that nothing kills, on a disk that refuses a commit.
    pub(crate) fn on_disk(count: u64, disk: Disk) -> Arc<Self> {
        let killer = Self::default();
        *killer.disk.lock().unwrap() = Some((count, disk));
        Arc::new(killer)
    }

    /// A process that nothing kills, whose journal is bounded.
    pub(crate) fn bounded(bounds: Bounds) -> Arc<Self> {
        let killer = Self::default();
        *killer.bounds.lock().unwrap() = Some(bounds);
        Arc::new(killer)
    }

    fn refuses(&self, count: u64) -> Option<Disk> {
        let (at, disk) = (*self.disk.lock().unwrap())?;
        let strikes = count == at || (count > at && disk == Disk::FromThenOn);
        strikes.then_some(disk)
    }

    pub(crate) fn at(boundary: Boundary, count: u64) -> Arc<Self> {
        let killer = Self::default();
        *killer.at.lock().unwrap() = Some((boundary, count));
        Arc::new(killer)
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    pub(crate) fn has_killed(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn strikes(&self, boundary: Boundary, count: u64) -> bool {
        let strikes = *self.at.lock().unwrap() == Some((boundary, count));
        if strikes {
            self.dead.store(true, Ordering::SeqCst);
        }
        strikes
    }

    fn killed() -> JournalError {
        JournalError::Storage("killed".to_owned())
    }
}

/// A journal whose process can be killed.
pub(crate) struct Fragile {
    inner: SqliteJournal,
    killer: Arc<Killer>,
}

impl Fragile {
    fn write<T>(&self, write: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
        if self.killer.has_killed() {
            return Err(Killer::killed());
        }
        let count = self.killer.appends.fetch_add(1, Ordering::SeqCst);
        if self.killer.strikes(Boundary::BeforeAppend, count) {
            return Err(Killer::killed());
        }
        let full = || JournalError::Storage("the disk is full".to_owned());
        let refuses = self.killer.refuses(count);
        if matches!(refuses, Some(Disk::Once | Disk::FromThenOn)) {
            return Err(full());
        }
        let written = write()?;
        if refuses.is_some() {
            return Err(full());
        }
        if self.killer.strikes(Boundary::AfterAppend, count) {
            return Err(Killer::killed());
        }
        Ok(written)
    }
}

impl Journal for Fragile {
    fn check(&self, run: Option<&RunId>) -> Result<Vec<String>, JournalError> {
        self.inner.check(run)
    }

    fn bounds(&self) -> Bounds {
        self.killer.bounds.lock().unwrap().unwrap_or(Bounds::DEFAULT)
    }

    fn create(
        &self,
        run: &NewRun,
        entries: &[Entry],
        summary: &RunSummary,
        holder: &Holder,
    ) -> Result<Box<dyn Lease>, JournalError> {
        // A first run has to be there for something to go on with.
        match self.killer.commits() {
            0 => self.inner.create(run, entries, summary, holder),
            _ => self.write(|| self.inner.create(run, entries, summary, holder)),
        }
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.inner.runs()
    }

    fn find(&self, prefix: &str) -> Result<RunRow, JournalError> {
        self.inner.find(prefix)
    }

    fn acquire(&self, run: &RunId, holder: &Holder) -> Result<Box<dyn Lease>, JournalError> {
        self.inner.acquire(run, holder)
    }

    fn renew(&self, lease: &dyn Lease) -> Result<(), JournalError> {
        self.inner.renew(lease)
    }

    fn append(
        &self,
        lease: &dyn Lease,
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        self.write(|| self.inner.append(lease, entries, summary))
    }

    fn entries(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.inner.entries(run, after, limit)
    }

    fn verify(&self, run: &RunId) -> Result<Option<u64>, JournalError> {
        self.inner.verify(run)
    }

    fn branch_entries(
        &self,
        run: &RunId,
        branch: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.inner.branch_entries(run, branch, after, limit)
    }

    fn program(
        &self,
        program: &piton_core::canonical::Digest,
    ) -> Result<Vec<ProgramFile>, JournalError> {
        self.inner.program(program)
    }

    fn sealed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.inner.sealed(run)
    }

    fn seal(&self, lease: &dyn Lease, name: &str, value: &[u8]) -> Result<(), JournalError> {
        self.inner.seal(lease, name, value)
    }

    fn open_gates(&self, run: &RunId) -> Result<Vec<OpenGate>, JournalError> {
        self.inner.open_gates(run)
    }

    fn post(&self, run: &RunId, mail: &Mail) -> Result<Admission, JournalError> {
        self.inner.post(run, mail)
    }

    fn mail(&self, run: &RunId) -> Result<Vec<(u64, Mail)>, JournalError> {
        self.inner.mail(run)
    }

    fn take_mail(
        &self,
        lease: &dyn Lease,
        mail: &[u64],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        self.write(|| self.inner.take_mail(lease, mail, entries, summary))
    }

    fn take_lock(
        &self,
        lease: &dyn Lease,
        name: &str,
        owner: &RunId,
    ) -> Result<Option<RunId>, JournalError> {
        self.write(|| self.inner.take_lock(lease, name, owner))
    }

    fn locks(&self) -> Result<Vec<HeldLock>, JournalError> {
        self.inner.locks()
    }

    fn edit(
        &self,
        lease: &dyn Lease,
        program: &piton_core::canonical::Digest,
        files: &[ProgramFile],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        self.write(|| self.inner.edit(lease, program, files, entries, summary))
    }

    fn import(&self, runs: &[Arrival]) -> Result<(), JournalError> {
        self.write(|| self.inner.import(runs))
    }

    fn is_held(&self, lease: &dyn Lease) -> Result<bool, JournalError> {
        self.inner.is_held(lease)
    }

    fn remove(&self, run: &RunId) -> Result<(), JournalError> {
        self.inner.remove(run)
    }
}

/// One call as the AWS in memory got it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) operation: String,
    pub(crate) input: Value,
    /// The call changed something.
    pub(crate) effect: bool,
}

/// What the AWS in memory does besides its duty, once for each entry.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    Refuse(&'static str),
    LoseReply,
    Expire,
    BeSilent,
}

/// A small AWS: named things by kind, tokens, a call log.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(crate) things: Mutex<BTreeMap<String, Value>>,
    pub(crate) received: Mutex<Vec<Received>>,
    /// Trouble by operation, taken from the front.
    pub(crate) trouble: Mutex<BTreeMap<String, Vec<Trouble>>>,
    /// Who an alias is, when it is not the user of that name.
    pub(crate) people: Mutex<BTreeMap<String, String>>,
    tokens: Mutex<BTreeMap<String, Value>>,
    millis: AtomicI64,
}

impl Cloud {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + self.millis.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, span: Span) {
        self.millis.fetch_add(span.millis() as i64, Ordering::SeqCst);
    }

    /// All of it but the call log, as data.
    pub(crate) fn kept(&self) -> Value {
        json!({
            "things": *self.things.lock().unwrap(),
            "people": *self.people.lock().unwrap(),
            "tokens": *self.tokens.lock().unwrap(),
            "millis": self.millis.load(Ordering::SeqCst),
        })
    }

    /// Becomes what [`Cloud::kept`] told.
    pub(crate) fn become_again(&self, kept: &Value) {
        let part = |name: &str| kept[name].clone();
        *self.things.lock().unwrap() = serde_json::from_value(part("things")).unwrap();
        *self.people.lock().unwrap() = serde_json::from_value(part("people")).unwrap();
        *self.tokens.lock().unwrap() = serde_json::from_value(part("tokens")).unwrap();
        self.millis.store(kept["millis"].as_i64().unwrap(), Ordering::SeqCst);
    }

    /// Somebody sets the machine's clock.
    pub(crate) fn set_back(&self, span: Span) {
        self.millis.fetch_sub(span.millis() as i64, Ordering::SeqCst);
    }

    pub(crate) fn trouble(&self, operation: &str, trouble: Trouble) {
        self.trouble.lock().unwrap().entry(operation.to_owned()).or_default().push(trouble);
    }

    pub(crate) fn effects(&self, operation: &str) -> usize {
        let received = self.received.lock().unwrap();
        received.iter().filter(|call| call.effect && call.operation == operation).count()
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.received.lock().unwrap().iter().filter(|call| call.operation == operation).count()
    }

    fn refuse(call: &Call, code: &str, status: u16) -> CallFailure {
        CallFailure::Refused(AwsError {
            service: call.service.clone(),
            operation: call.operation.clone(),
            code: code.to_owned(),
            message: format!("{} says {code} to {}", call.operation, call.input),
            http_status: Some(status),
            request_id: Some("r-1".to_owned()),
            retryable: false,
        })
    }

    fn answer(&self, call: &Call) -> Result<(Value, bool), CallFailure> {
        let mut things = self.things.lock().unwrap();
        let text = |member: &str| call.input[member].as_str().unwrap_or_default().to_owned();
        let created = self.now().to_string();
        match call.operation.as_str() {
            "create_role" => {
                let name = text("RoleName");
                if things.contains_key(&format!("role/{name}")) {
                    return Err(Self::refuse(call, "EntityAlreadyExists", 409));
                }
                let role = json!({
                    "RoleName": name, "Arn": format!("arn:aws:iam::1:role/{name}"), "Path": "/",
                    "RoleId": format!("AROA{name}"), "CreateDate": created,
                    "AssumeRolePolicyDocument": call.input["AssumeRolePolicyDocument"],
                });
                things.insert(format!("role/{name}"), role.clone());
                Ok((json!({ "Role": role }), true))
            }
            "get_role" => match things.get(&format!("role/{}", text("RoleName"))) {
                Some(role) => Ok((json!({ "Role": role }), false)),
                None => Err(Self::refuse(call, "NoSuchEntity", 404)),
            },
            "tag_role" => {
                let key = format!("tags/{}", text("RoleName"));
                let tags = call.input["Tags"].clone();
                let effect = things.insert(key, tags.clone()) != Some(tags);
                Ok((json!({}), effect))
            }
            "list_role_tags" => {
                let tags = things.get(&format!("tags/{}", text("RoleName"))).cloned();
                let tags = tags.unwrap_or_else(|| json!([]));
                Ok((json!({ "Tags": tags, "IsTruncated": false }), false))
            }
            "untag_role" => {
                let key = format!("tags/{}", text("RoleName"));
                let keys = call.input["TagKeys"].as_array().cloned().unwrap_or_default();
                let before = things.get(&key).and_then(Value::as_array).cloned();
                let Some(before) = before else { return Ok((json!({}), false)) };
                let kept: Vec<Value> =
                    before.iter().filter(|tag| !keys.contains(&tag["Key"])).cloned().collect();
                let effect = kept.len() < before.len();
                match kept.is_empty() {
                    true => things.remove(&key),
                    false => things.insert(key, Value::Array(kept)),
                };
                Ok((json!({}), effect))
            }
            "delete_role" => match things.remove(&format!("role/{}", text("RoleName"))) {
                Some(_) => Ok((json!({}), true)),
                None => Err(Self::refuse(call, "NoSuchEntity", 404)),
            },
            "delete_secret" => {
                let prefix = text("SecretId").replace("arn:", "").replace(':', "/");
                let found = things.keys().find(|key| key.starts_with(&prefix)).cloned();
                match found {
                    Some(key) => {
                        things.remove(&key);
                        Ok((json!({}), true))
                    }
                    None => Err(Self::refuse(call, "ResourceNotFoundException", 404)),
                }
            }
            "create_secret" => {
                let token = text("ClientRequestToken");
                if let Some(answer) = self.tokens.lock().unwrap().get(&token) {
                    return Ok((answer.clone(), false));
                }
                let name = text("Name");
                let answer = json!({ "ARN": format!("arn:secret:{name}"), "Name": name });
                let count = things.len();
                things.insert(format!("secret/{name}/{count}"), call.input.clone());
                self.tokens.lock().unwrap().insert(token, answer.clone());
                Ok((answer, true))
            }
            "create_access_key" => {
                let count = things.len();
                things.insert(format!("key/{count}"), json!({}));
                let key = json!({
                    "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "very-secret-key",
                    "UserName": text("UserName"), "Status": "Active",
                });
                Ok((json!({ "AccessKey": key }), true))
            }
            // The secret `s` is what tests wait for; any other is what it is.
            "describe_secret" if !text("SecretId").ends_with('s') => {
                let name = text("SecretId").replace("arn:secret:", "");
                match things.keys().any(|key| key.starts_with(&format!("secret/{name}/"))) {
                    true => {
                        Ok((json!({ "Name": name, "ARN": format!("arn:secret:{name}") }), false))
                    }
                    false => Err(Self::refuse(call, "ResourceNotFoundException", 404)),
                }
            }
            "describe_secret" => {
                let reads = self.calls("describe_secret");
                Ok((json!({ "Name": if reads > 2 { "ready" } else { "pending" } }), false))
            }
            "get_secret_value" => {
                Ok((json!({ "Name": "s", "SecretString": "fetched-secret" }), false))
            }
            // An answer that is large because a test wants it so.
            "get_policy" => {
                let large = "p".repeat(text("PolicyArn").len() * 1000);
                Ok((json!({ "Policy": { "Arn": "arn:1", "Description": large } }), false))
            }
            "create_policy" => {
                let large = "p".repeat(20_000);
                things.insert(format!("policy/{}", text("PolicyName")), json!({}));
                Ok((json!({ "Policy": { "Arn": "arn:made", "Description": large } }), true))
            }
            "list_users" => Ok((json!({ "Users": [], "IsTruncated": false }), false)),
            other => panic!("the AWS of this test does not know {other}"),
        }
    }
}

/// [`Cloud`] as a port, in one process.
pub(crate) struct Client {
    cloud: Arc<Cloud>,
    killer: Arc<Killer>,
}

impl Operations for Client {
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        let silent = || CallFailure::Unavailable { message: "killed".to_owned() };
        Box::pin(async move {
            if self.killer.has_killed() {
                return Err(silent());
            }
            let count = self.killer.sends.fetch_add(1, Ordering::SeqCst);
            if self.killer.strikes(Boundary::BeforeEffect, count) {
                return Err(silent());
            }
            let trouble = {
                let mut all = self.cloud.trouble.lock().unwrap();
                all.get_mut(&call.operation)
                    .filter(|list| !list.is_empty())
                    .map(|list| list.remove(0))
            };
            match trouble {
                Some(Trouble::Refuse(code)) => return Err(Cloud::refuse(call, code, 403)),
                Some(Trouble::BeSilent) => return Err(silent()),
                Some(Trouble::Expire) => {
                    return Err(CallFailure::Credentials {
                        alias: call.account.alias.clone(),
                        message: "the token expired".to_owned(),
                        renew_with: Some("aws sso login".to_owned()),
                    });
                }
                Some(Trouble::LoseReply) | None => {}
            }
            let answered = self.cloud.answer(call);
            let effect = answered.as_ref().is_ok_and(|(_, effect)| *effect);
            self.cloud.received.lock().unwrap().push(Received {
                operation: call.operation.clone(),
                input: call.input.clone(),
                effect,
            });
            if self.killer.strikes(Boundary::AfterEffect, count) {
                return Err(silent());
            }
            if matches!(trouble, Some(Trouble::LoseReply)) {
                return Err(CallFailure::ReplyLost { message: "the line broke".to_owned() });
            }
            answered.map(|(output, _)| Answer { output, request_id: Some("r-2".to_owned()) })
        })
    }

    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>> {
        let user = self.cloud.people.lock().unwrap().get(&account.alias).cloned();
        Box::pin(async move { Ok(person(&user.unwrap_or_else(|| account.alias.clone()))) })
    }

    fn region(&self, _: &AccountRef) -> Option<String> {
        Some("eu-west-1".to_owned())
    }
}

pub(crate) fn person(name: &str) -> Principal {
    Principal {
        account: "111111111111".to_owned(),
        arn: format!("arn:aws:iam::111111111111:user/{name}"),
        region: "eu-west-1".to_owned(),
    }
}

/// A clock that passes at once. One that says that it is real lets branches run as they come.
struct CloudClock {
    cloud: Arc<Cloud>,
    is_virtual: bool,
}

impl Clock for CloudClock {
    fn now(&self) -> Timestamp {
        self.cloud.now()
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        self.cloud.pass(span);
        Box::pin(async {})
    }

    fn is_virtual(&self) -> bool {
        self.is_virtual
    }
}

struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = (count * 31 + index as u64 * 7) as u8;
        }
    }
}

/// Events of every process of a home.
#[derive(Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<RunEvent>>);

impl EventSink for Events {
    fn emit(&self, event: &RunEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct Nobody;

impl Person for Nobody {
    fn decide(&self, _: &RunId, _: &OpenGate) -> Option<Decision> {
        None
    }

    fn confirm_call(&self, _: &Key, _: &CallPreview) -> bool {
        true
    }
}

/// A home folder with the AWS that its runs talk to. Each process is a fresh [`Engine`].
pub(crate) struct Home {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) events: Arc<Events>,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    processes: AtomicU64,
    is_concurrent: bool,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    /// A home whose branches run as they come, as they do against AWS.
    pub(crate) fn concurrent() -> Self {
        Self::with(true)
    }

    fn with(is_concurrent: bool) -> Self {
        Self {
            is_concurrent,
            cloud: Arc::default(),
            events: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            processes: AtomicU64::new(0),
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Lets the next processes count from a number on: their ids are other ones than before it.
    pub(crate) fn count_processes_from(&self, number: u64) {
        self.processes.store(number, Ordering::SeqCst);
    }

    /// A process that nothing kills.
    pub(crate) fn process(&self) -> Engine {
        self.fragile_process(&Arc::default())
    }

    /// A process that dies where the killer says.
    pub(crate) fn fragile_process(&self, killer: &Arc<Killer>) -> Engine {
        let pid = self.processes.fetch_add(1, Ordering::SeqCst);
        let cloud = Arc::clone(&self.cloud);
        let inner = SqliteJournal::open(self.folder.path(), Arc::new(move || cloud.now())).unwrap();
        let client = Client { cloud: Arc::clone(&self.cloud), killer: Arc::clone(killer) };
        Engine {
            ports: Ports {
                journal: Arc::new(Fragile { inner, killer: Arc::clone(killer) }),
                operations: Arc::new(client),
                clock: Arc::new(CloudClock {
                    cloud: Arc::clone(&self.cloud),
                    is_virtual: !self.is_concurrent,
                }),
                entropy: Arc::new(Counter(AtomicU64::new(pid * 1000))),
                events: Arc::clone(&self.events) as Arc<dyn EventSink>,
                person: Arc::new(Nobody),
            },
            sealing_key: SealingKey::new([9; 32]),
            holder: Holder { host: "test".to_owned(), pid: pid as u32, since: self.cloud.now() },
            runtime: self.runtime.handle().clone(),
            interrupt: Interrupt::default(),
        }
    }

    pub(crate) fn start(&self, script: &str) -> (RunId, Result<Driven, RunnerError>) {
        start(&self.process(), script, &[])
    }

    pub(crate) fn resume(&self, run: &RunId) -> Driven {
        self.process().resume(run, &plain()).unwrap()
    }

    /// The bytes of every file of the home.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                all.extend(std::fs::read(path).unwrap());
            }
        }
        all
    }

    /// Changes a text in the database behind everybody's back, for one of the same length.
    pub(crate) fn tamper(&self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let path = self.folder.path().join("journal.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let places: Vec<usize> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, window)| *window == from.as_bytes())
            .map(|(place, _)| place)
            .collect();
        assert!(!places.is_empty(), "{from} is not in the database");
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
    }

    /// Every entry of a run.
    pub(crate) fn entries(&self, run: &RunId) -> Vec<StoredEntry> {
        self.process().ports.journal.entries(run, 0, 10_000).unwrap()
    }

    /// Answers the only open gate of a run.
    pub(crate) fn decide(
        &self,
        run: &RunId,
        who: &str,
        verdict: Verdict,
    ) -> Result<Admission, JournalError> {
        let gate = self.process().ports.journal.open_gates(run).unwrap().remove(0);
        self.decide_gate(run, &gate.request.gate, who, verdict)
    }

    /// Answers an open gate of a run.
    pub(crate) fn decide_gate(
        &self,
        run: &RunId,
        address: &str,
        who: &str,
        verdict: Verdict,
    ) -> Result<Admission, JournalError> {
        let journal = self.process().ports.journal;
        let open = journal.open_gates(run).unwrap();
        let gate = open.into_iter().find(|gate| gate.request.gate == address);
        let gate = gate.unwrap_or_else(|| panic!("the gate {address} is not open"));
        let decision = Decision {
            gate: gate.request.gate.clone(),
            verdict,
            by: Decider { alias: Some(who.to_owned()), principal: person(who) },
            comment: Some("seen".to_owned()),
            fields: Value::Null,
            evidence: None,
            at: self.cloud.now(),
            digest: gate.request.digest,
        };
        journal.post(run, &Mail::Decision(decision))
    }
}

/// Starts a script with parameters.
pub(crate) fn start(
    engine: &Engine,
    script: &str,
    given: &[(&str, Value)],
) -> (RunId, Result<Driven, RunnerError>) {
    let file = ProgramFile { path: "test.rhai".to_owned(), text: script.to_owned() };
    start_files(engine, vec![file], given)
}

/// Starts a program of several files with parameters.
pub(crate) fn start_files(
    engine: &Engine,
    files: Vec<ProgramFile>,
    given: &[(&str, Value)],
) -> (RunId, Result<Driven, RunnerError>) {
    let program = Program::from_files("test", files)
        .unwrap_or_else(|problems| panic!("the script is wrong: {problems:#?}"));
    let given: Vec<(String, Given)> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Given::Value(value.clone())))
        .collect();
    let params = params::bind(program.declaration(), &given, true).unwrap();
    let run = new_run_id(engine.ports.entropy.as_ref());
    let started = engine.start(Start {
        run: run.clone(),
        program,
        source: None,
        params,
        name: None,
        labels: Vec::new(),
        world: Some("memory".to_owned()),
        requester: Some(person("admin")),
        options: options(),
    });
    (run, started)
}

pub(crate) fn options() -> Options {
    Options { wait_limit: None, step_mode: false }
}

pub(crate) fn plain() -> Resume {
    Resume { retry: false, rebind: Vec::new(), options: options() }
}

/// A script with the account `admin`.
pub(crate) fn script(body: &str) -> String {
    format!(
        "runbook(#{{ title: \"test\", accounts: #{{ admin: #{{ doc: \"a\" }}, carol: #{{ doc: \"c\" }} }} }});\n{body}"
    )
}
