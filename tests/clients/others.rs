//! boto3, the AWS CLI and Terraform on the world that the packaged runbook made over HTTP.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::{Value, json};

use super::served::Served;
use crate::support::{TestEnv, loudly, text};

/// What the packaged runbook needs said that a rehearsal presets.
const PARAMETERS: &str = r#"{
    "cluster": "poc-warehouse", "schema": "sales", "tables": ["orders", "customers"],
    "secret": "poc/warehouse-admin", "people": "create_users", "sign_in": "ready",
    "restrict_blueprint": true, "keep_rows": "all"
}"#;

#[test]
fn other_clients_read_and_change_what_a_run_made() {
    if env::var_os("PITON_CLIENTS").is_none() {
        loudly("clients: boto3, the AWS CLI and Terraform: NOT RUN; `.ci/clients` runs them");
        return;
    }
    let world = source("runbooks/pfizer_poc/world.toml");
    let served = Served::start(Some(&world.display().to_string()), "100");
    let client = served.client();
    let outputs = carry_out_the_packaged_runbook(&client);
    assert_eq!(outputs["rows"].as_array().map(Vec::len), Some(10));

    let mut story = served.announced.clone();
    story["outputs"] = outputs;
    fs::write(client.folder().join("story.json"), story.to_string()).unwrap();
    for script in ["reads", "command_line", "refusals", "writes", "lake"] {
        python(&client, script);
    }
    read_back(&client);
    terraform(&client, &served);
}

#[test]
fn four_people_read_what_two_accounts_share() {
    if env::var_os("PITON_CLIENTS").is_none() {
        loudly("clients: boto3 as four people: NOT RUN; `.ci/clients` runs it");
        return;
    }
    let env = TestEnv::new();
    let mut answer = env.piton(&["run", "cross_account", "--sandbox", "--json"]);
    while answer.code == 3 {
        let gates = env.piton(&["inbox", "--json"]).exits(0).json();
        for gate in gates.as_array().expect("a list of gates") {
            env.shell(&text(&gate["approve_with"])).exits(0);
        }
        answer = env.piton(&["resume", &answer.run(), "--json"]);
    }
    let run = answer.exits(0).run();
    let outputs = env.piton(&["show", &run, "--json"]).exits(0).json()["outputs"].clone();

    let served = Served::of(env, None, "100");
    let client = served.client();
    let mut story = served.announced.clone();
    story["outputs"] = outputs;
    fs::write(client.folder().join("story.json"), story.to_string()).unwrap();
    python(&client, "accounts");
}

/// To its end, with both decisions.
fn carry_out_the_packaged_runbook(client: &TestEnv) -> Value {
    fs::write(client.folder().join("parameters.json"), PARAMETERS).unwrap();
    let words = ["run", "pfizer_poc", "--params", "parameters.json", "--yes", "--json"];
    let run = client.piton(&words).exits(3).run();
    for (gate, ends) in [("schema review", 3), ("subscription", 0)] {
        client.piton(&["approve", &run, gate, "--as", "producer"]).exits(0);
        client.piton(&["resume", &run, "--json"]).exits(ends);
    }
    let shown = client.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["status"], "succeeded");
    shown["outputs"].clone()
}

/// What boto3 wrote, as a runbook reads it.
fn read_back(client: &TestEnv) {
    let script = source("tests/clients/read_back.rhai").display().to_string();
    let run = client.piton(&["run", &script, "--yes", "--json"]).exits(0).run();
    let shown = client.piton(&["show", &run, "--json"]).exits(0).json();
    let expected = json!({
        "role": {
            "description": "Größe & <Maß> \"zitiert\"", "session": 7200, "trusted": "datazone.amazonaws.com",
            "policies": ["AmazonDataZoneDomainExecutionRolePolicy"],
            "tags": [{"Key": "empty", "Value": ""}, {"Key": "owner", "Value": "a+b c/d=é"}],
        },
        "secret": {
            "description": "second", "versions": 2, "tags": [{"Key": "team", "Value": "data"}],
        },
        "domain": {"description": "by boto3", "status": "AVAILABLE", "tags": {"team": "data"}},
        "rows": [{"n": 1, "t": "é'x"}],
    });
    assert_eq!(shown["outputs"], expected);
}

/// Runs one of the scripts beside this file.
fn python(client: &TestEnv, script: &str) {
    let script = source("tests/clients").join(format!("{script}.py"));
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg("story.json");
    run(client, command);
}

/// Applies, finds nothing to change, destroys. Needs the program and a provider on this machine.
fn terraform(client: &TestEnv, served: &Served) {
    let Some(mirror) = provider_mirror() else {
        loudly("clients: Terraform: NOT RUN, since it or its AWS provider is not on this machine");
        return;
    };
    let folder = client.folder().join("terraform");
    fs::create_dir(&folder).unwrap();
    for file in ["main.tf", "lake.tf"] {
        fs::copy(source("tests/clients/terraform").join(file), folder.join(file)).unwrap();
    }
    let settings = format!(
        "provider_installation {{ filesystem_mirror {{ path = \"{}\" }} }}\n",
        mirror.display()
    );
    fs::write(folder.join("settings.tfrc"), settings).unwrap();
    let admin = &served.people()[0];
    let variables = json!({
        "endpoint": served.endpoint(), "region": admin["region"],
        "access_key": admin["access_key_id"], "secret_key": admin["secret_access_key"],
    });
    fs::write(folder.join("terraform.tfvars.json"), variables.to_string()).unwrap();
    let commands: [&[&str]; 4] = [
        &["init", "-no-color", "-input=false"],
        &["apply", "-no-color", "-input=false", "-auto-approve"],
        // With this flag a plan that would change something ends with 2.
        &["plan", "-no-color", "-input=false", "-detailed-exitcode"],
        &["destroy", "-no-color", "-input=false", "-auto-approve"],
    ];
    for words in commands {
        let mut command = Command::new("terraform");
        command.args(words).current_dir(&folder);
        command.env("TF_CLI_CONFIG_FILE", folder.join("settings.tfrc"));
        command.env("CHECKPOINT_DISABLE", "1");
        run(client, command);
    }
    let gone = served
        .log()
        .iter()
        .any(|call| call["operation"] == "DeleteDomain" && call["effect"] == true);
    assert!(gone, "destroy deletes the domain");
    loudly("clients: Terraform: applied, found nothing to change, destroyed");
}

/// The folder that `PITON_TERRAFORM_MIRROR` names, which `.ci/clients` looks for.
fn provider_mirror() -> Option<PathBuf> {
    env::var_os("PITON_TERRAFORM_MIRROR").map(PathBuf::from)
}

/// Runs a program in the client's surroundings, and shows what it says.
fn run(client: &TestEnv, mut command: Command) {
    if command.get_current_dir().is_none() {
        command.current_dir(client.folder());
    }
    for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"] {
        command.env_remove(name);
    }
    let told = command.env("HOME", client.folder()).output().unwrap();
    let stdout = String::from_utf8_lossy(&told.stdout);
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", told.status);
    if let Some(last) = stdout.lines().rev().find(|line| !line.is_empty()) {
        loudly(&format!("clients: {last}"));
    }
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
