//! Known secrets are put wherever one can enter, and then looked for wherever one could come out: in
//! the bytes of every file, in what every command says, through a kill, and through errors of AWS that
//! repeat what was sent.
//!
//! What may have them: the places that they are read from, and the sandbox's world, which stands for
//! AWS. Of the world only what AWS itself keeps: the value of a secret, the key of a person.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Answer, TestEnv, loudly, read_until, runbook, text};

/// Values whose text differs in JSON, in URLs and in base64.
const ENV: &str = "canary/one+\"two\"=three";
const FILE: &str = "canary\\four five&six";
const LITERAL: &str = "canary-seven-eight";
const PLANTED: &str = "canary:nine,ten;eleven";
const VARIABLE: &str = "canary_twelve%thirteen";

/// The operations that the runbook hands a secret where AWS expects none: their call in the sandbox's
/// log has it, as CloudTrail would.
const ECHOED: [&str; 3] = ["CreateRole", "GetUser", "GetSecretValue"];

/// A secret and every form in which it could be written.
struct Canary {
    name: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new(name: &str, value: &str) -> Self {
        let bytes = value.as_bytes();
        let json = serde_json::to_string(value).unwrap();
        let escaped = json.trim_matches('"').to_owned();
        let twice = serde_json::to_string(&escaped).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            bytes.to_vec(),
            escaped.into_bytes(),
            twice.trim_matches('"').as_bytes().to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            percent_encoded(bytes).into_bytes(),
            bytes.iter().flat_map(|byte| [*byte, 0]).collect(),
        ];
        forms.extend((0..3).map(|before| base64_inside(bytes, before)));
        Self { name: name.to_owned(), forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(bytes, form))
    }
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    // The first byte alone tells most places apart.
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == form[0]) {
        rest = &rest[at..];
        if rest.starts_with(form) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn percent_encoded(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    bytes
        .iter()
        .map(|byte| match plain(*byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// What base64 makes of bytes that come after `before` others: the part that those do not change.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // Bits of the first characters that belong to what comes before.
    let foreign = [0, 4, 2][before];
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let value = |six: &[u8]| six.iter().fold(0_usize, |value, bit| value << 1 | usize::from(*bit));
    bits[foreign..].chunks_exact(6).map(|six| ALPHABET[value(six)]).collect()
}

/// Everything that came out of the commands.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn hear(&mut self, what: &str, answer: &Answer) {
        self.0.push((format!("stdout of {what}"), answer.stdout.clone().into_bytes()));
        self.0.push((format!("stderr of {what}"), answer.stderr.clone().into_bytes()));
    }

    fn ask(&mut self, env: &TestEnv, arguments: &[&str]) -> Answer {
        let answer = env.piton(arguments);
        self.hear(&arguments.join(" "), &answer);
        answer
    }

    fn check(&self, canaries: &[Canary]) {
        for (place, bytes) in &self.0 {
            for canary in canaries {
                assert!(!canary.is_in(bytes), "the secret {} is in the {place}", canary.name);
            }
        }
    }
}

/// The secrets of the world's people and sessions, which nobody has planted.
fn keys_of_world(env: &TestEnv) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for world in worlds(env) {
        let rows = documents(&world, "_people/key");
        for key in rows {
            let key: Value = serde_json::from_str(&key).unwrap();
            let id = text(&key["id"]);
            found.push((format!("key of {id}"), text(&key["secret"])));
            if let Some(token) = key["session"]["token"].as_str() {
                found.push((format!("token of {id}"), token.to_owned()));
            }
        }
    }
    found
}

fn worlds(env: &TestEnv) -> Vec<std::path::PathBuf> {
    let folder = fs::read_dir(env.home().join("sandbox")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "db")).collect()
}

fn documents(world: &Path, kind: &str) -> Vec<String> {
    let connection = Connection::open(world).unwrap();
    let mut rows = connection.prepare("SELECT document FROM documents WHERE kind = ?1").unwrap();
    rows.query_map([kind], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Files below a folder, but for the worlds and what the secrets are read from.
fn check_files(folder: &Path, canaries: &[Canary]) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            count += if name == "sandbox" { 0 } else { check_files(&path, canaries) };
            continue;
        }
        if name.to_string_lossy().starts_with("given.") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for canary in canaries {
            assert!(!canary.is_in(&bytes), "the secret {} is in {}", canary.name, path.display());
        }
        count += 1;
    }
    count
}

/// Of a world only the values of secrets, the keys of people, and the description that it was made of
/// may have a secret; and of its call log the calls that were handed one where AWS expects none.
fn check_world(world: &Path, canaries: &[Canary]) {
    let connection = Connection::open(world).unwrap();
    let tables = [
        ("documents", "kind"),
        ("due", "service"),
        ("history", "kind"),
        ("meta", "name"),
        ("calls", "operation"),
        ("tokens", "operation"),
        ("sequences", "name"),
    ];
    let mut had = BTreeMap::new();
    for (table, name) in tables {
        let mut rows = connection.prepare(&format!("SELECT {name}, * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let what: String = row.get(0).unwrap();
            let bytes: Vec<u8> = (1..columns)
                .flat_map(|column| match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => text.to_vec(),
                    rusqlite::types::ValueRef::Blob(blob) => blob.to_vec(),
                    _ => Vec::new(),
                })
                .collect();
            for canary in canaries.iter().filter(|canary| canary.is_in(&bytes)) {
                let is_aws = match table {
                    "documents" => {
                        ["secretsmanager/secret", "_people/key", "_people/person"].contains(&&*what)
                    }
                    "meta" => what == "spec",
                    "calls" => ECHOED.contains(&&*what),
                    _ => false,
                };
                assert!(is_aws, "the secret {} is in {table} `{what}` of the world", canary.name);
                *had.entry(canary.name.clone()).or_insert(0) += 1;
            }
        }
    }
    for canary in canaries {
        assert!(had.contains_key(&canary.name), "the secret {} did not reach AWS", canary.name);
    }
}

fn given(env: &TestEnv) -> Vec<String> {
    let world = format!(
        "[[people]]\nalias = \"admin\"\nadministrator = true\n[[people]]\nalias = \"approver\"\n\
         administrator = true\n[[secrets]]\nname = \"planted\"\nvalue = '{PLANTED}'\n"
    );
    fs::write(env.folder().join("given.world.toml"), world).unwrap();
    fs::write(env.folder().join("given.file"), format!("{FILE}\n")).unwrap();
    let params = serde_json::json!({ "literal": LITERAL }).to_string();
    fs::write(env.folder().join("given.params.json"), params).unwrap();
    let script = runbook("canary");
    let words = [
        "run",
        &script,
        "--sandbox=given.world.toml",
        "-p",
        "by_env=env:CANARY_PARAMETER",
        "-p",
        "by_file=file:given.file",
        "--params",
        "given.params.json",
        "-p",
        "by_arn=secretsmanager:planted",
        "--json",
    ];
    words.map(str::to_owned).into()
}

fn command(env: &TestEnv, words: &[String]) -> Command {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = env.command(&words);
    command.env("CANARY_PARAMETER", ENV).env("CANARY_VARIABLE", VARIABLE);
    command
}

fn planted() -> Vec<Canary> {
    [
        ("env", ENV),
        ("file", FILE),
        ("literal", LITERAL),
        ("planted", PLANTED),
        ("variable", VARIABLE),
    ]
    .map(|(name, value)| Canary::new(name, value))
    .into()
}

#[test]
fn planted_secrets_come_out_nowhere() {
    let env = TestEnv::new();
    let mut said = Said::default();
    let output = command(&env, &given(&env)).output().unwrap();
    let first = Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    said.hear("run", &first);
    let run = first.exits(3).run();
    said.ask(&env, &["inbox", "--json"]);
    // Another process, to which nothing is given: it has what was sealed.
    let rest = said.ask(&env, &["approve", &run, "--as", "approver", "--resume", "--json"]);
    assert_eq!(rest.code, 4, "{}", rest.stderr);
    for words in [
        vec!["show", &run],
        vec!["show", &run, "--json"],
        vec!["journal", &run],
        vec!["journal", &run, "--json"],
        vec!["status", &run],
        vec!["status", &run, "--json"],
        vec!["watch", &run],
        vec!["inbox"],
        vec!["ls", "--json"],
        vec!["doctor", "--json"],
        vec!["verify", &run],
        vec!["report", &run, "--format", "md", "-o", "report.md"],
        vec!["report", &run, "--format", "json", "--evidence", "-o", "report.json"],
        vec!["report", &run, "--format", "html", "--evidence", "-o", "report.html"],
        vec!["resume", &run, "--retry", "--json"],
        vec!["drift", &run, "--json"],
        vec!["rollback", &run, "--yes", "--json"],
        vec!["sandbox", "dump"],
    ] {
        said.ask(&env, &words);
    }
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let calls = log.as_array().unwrap().iter();
    let others: Vec<&Value> =
        calls.filter(|call| !ECHOED.contains(&call["operation"].as_str().unwrap())).collect();
    said.0.push(("call log".to_owned(), serde_json::to_vec(&others).unwrap()));

    let mut canaries = planted();
    let minted = keys_of_world(&env);
    assert!(minted.len() >= 4, "{minted:?}");
    canaries.extend(minted.iter().map(|(name, value)| Canary::new(name, value)));
    said.check(&canaries);
    assert!(check_files(env.folder(), &canaries) >= 6);
    worlds(&env).iter().for_each(|world| check_world(world, &canaries));
    // And the scan finds what is there.
    assert!(canaries[1].is_in(&fs::read(env.folder().join("given.file")).unwrap()));
    let masks = said.0.iter().filter(|(_, bytes)| contains(bytes, b"[secret]")).count();
    assert!(masks > 5, "{masks} of the outputs show that something is hidden");
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_leaves_no_secret_in_its_files_and_shows_none_while_it_lives() {
    let canaries = planted();
    for event in ["step_opened", "step_closed", "note", "output"] {
        let env = TestEnv::new();
        let words = given(&env);
        let mut child = command(&env, &words)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        read_until(&mut stdout, event);
        let shown = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        for canary in &canaries {
            assert!(!canary.is_in(&shown), "the secret {} is on the command line", canary.name);
        }
        // The write-ahead log is still there: nobody closed it.
        assert!(env.home().join("journal.db-wal").exists());
        check_files(env.folder(), &canaries);
    }
}

/// A person types it at a terminal, which `script` of util-linux is here.
#[cfg(target_os = "linux")]
#[test]
fn a_typed_secret_comes_out_nowhere() {
    const TYPED: &str = "canary/fourteen \"fifteen\"";
    let env = TestEnv::new();
    let terminal = env.folder().join("given.terminal");
    let piton = env.command(&[]).get_program().to_string_lossy().into_owned();
    let line =
        format!("tty > given.terminal; '{piton}' run '{}' --sandbox --yes", runbook("typed"));
    let started = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(env.folder())
        .envs([("HOME", env.folder()), ("PITON_HOME", &env.home())])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut script = match started {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return loudly("a typed secret: NOT RUN, `script` is not here");
        }
        other => other.unwrap(),
    };
    // A terminal repeats what is typed until the program tells it not to.
    let is_hidden = || {
        // As long as the file is not there, `stty` knows no such terminal.
        let name = fs::read_to_string(&terminal).unwrap_or_default();
        let state = Command::new("stty").args(["-F", name.trim(), "-a"]).output().unwrap();
        contains(&state.stdout, b" -echo ")
    };
    while !is_hidden() {
        if script.try_wait().unwrap().is_some() {
            assert!(!terminal.exists(), "it ended and did not ask");
            return loudly("a typed secret: NOT RUN, `script` gets no terminal here");
        }
        std::thread::yield_now();
    }
    let mut keyboard = script.stdin.take().unwrap();
    std::io::Write::write_all(&mut keyboard, format!("{TYPED}\n").as_bytes()).unwrap();
    let shown = script.wait_with_output().unwrap();
    drop(keyboard);
    let screen = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && screen.contains("typed (not shown):"), "{screen}");

    let mut said = Said(vec![("screen".to_owned(), screen.into_bytes())]);
    let run = text(&env.piton(&["ls", "--json"]).exits(0).json()[0]["run"]);
    for words in [
        vec!["journal", &run, "--json"],
        vec!["show", &run],
        vec!["report", &run, "--format", "html", "--evidence", "-o", "report.html"],
    ] {
        said.ask(&env, &words);
    }
    let canaries = [Canary::new("typed", TYPED)];
    said.check(&canaries);
    check_files(env.folder(), &canaries);
    worlds(&env).iter().for_each(|world| check_world(world, &canaries));
}

#[test]
fn credentials_of_the_packaged_runbooks_come_out_nowhere() {
    for name in ["pfizer_poc", "cross_account"] {
        let env = TestEnv::new();
        let mut said = Said::default();
        let mut answer = said.ask(&env, &["run", name, "--sandbox", "--json"]);
        let run = answer.run();
        while answer.code == 3 {
            let gates = said.ask(&env, &["inbox", "--json"]).json();
            let gates = gates.as_array().unwrap();
            assert!(!gates.is_empty(), "{name} waits for something else: {}", answer.stderr);
            for gate in gates {
                said.hear("approve", &env.shell(&text(&gate["approve_with"])));
            }
            answer = said.ask(&env, &["resume", &run, "--json"]);
        }
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        for words in [
            vec!["report", &run, "--format", "html", "--evidence"],
            vec!["journal", &run, "--json"],
            vec!["sandbox", "log", "--json"],
            vec!["sandbox", "dump"],
        ] {
            said.ask(&env, &words);
        }
        let mut found = keys_of_world(&env);
        for world in worlds(&env) {
            for secret in documents(&world, "secretsmanager/secret") {
                let secret: Value = serde_json::from_str(&secret).unwrap();
                collect_passwords(&secret, &mut found);
            }
        }
        assert!(found.len() > 5, "{} secrets in the world of {name}", found.len());
        let canaries: Vec<Canary> =
            found.iter().map(|(name, value)| Canary::new(name, value)).collect();
        said.check(&canaries);
        check_files(env.folder(), &canaries);
    }
}

/// Passwords in the stored value of a secret.
fn collect_passwords(secret: &Value, found: &mut Vec<(String, String)>) {
    match secret {
        Value::Object(members) => {
            members.values().for_each(|member| collect_passwords(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_passwords(item, found)),
        Value::String(text) => {
            if let Ok(Value::Object(inside)) = serde_json::from_str(text)
                && let Some(password) = inside.get("password").and_then(Value::as_str)
            {
                found.push(("password of a warehouse".to_owned(), password.to_owned()));
            }
        }
        _ => {}
    }
}
