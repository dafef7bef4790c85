//! `piton.toml`: found, read, refused with a place, and what its placeholders become.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;

use piton_aws::{Accounts, AccountsError};

fn parse(text: &str) -> Result<Accounts, AccountsError> {
    Accounts::parse(text, Path::new("piton.toml"))
}

#[test]
fn the_tables_are_read() {
    let accounts = parse(
        r#"
        [defaults]
        region = "eu-west-1"
        tags = { owner = "data" }

        [accounts.publisher]
        profile = "data-publisher"
        account_id = "111111111111"

        [accounts.consumer]
        role_arn = "arn:{partition}:iam::{account}:role/DataConsumer"
        external_id = "x"

        [exec.anything]
        argv = ["true"]
        "#,
    )
    .unwrap();
    assert_eq!(accounts.defaults.tags["owner"], "data");
    let (publisher, member) = accounts.resolve("publisher").unwrap();
    assert_eq!(publisher.profile.as_deref(), Some("data-publisher"));
    assert_eq!(member, None);
    let (consumer, member) = accounts.resolve("consumer/222222222222").unwrap();
    assert_eq!(consumer.external_id.as_deref(), Some("x"));
    assert_eq!(member.as_deref(), Some("222222222222"));
}

#[test]
fn an_unknown_alias_is_nothing_and_the_default_one_needs_no_table() {
    let accounts = Accounts::default();
    assert_eq!(accounts.resolve("publisher"), None);
    assert!(accounts.resolve("default").is_some());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let error = parse("[accounts.publisher]\nprofil = \"x\"\n").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("profil"), "{error}");
    for (text, wanted) in [
        ("[accounts.a]\naccount_id = \"12\"\n", "twelve digits"),
        ("[accounts.a]\nexternal_id = \"x\"\n", "need a role_arn"),
        ("[accounts.a]\nrole_arn = \"Reader\"\n", "has to be an ARN"),
        ("[accounts.\"a/b\"]\n", "no `/`"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("accounts.a"), "{error}");
    }
}

#[test]
fn the_file_is_found_in_a_folder_above() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    fs::write(folder.path().join("piton.toml"), "[accounts.publisher]\n").unwrap();
    let accounts = Accounts::find(&inner).unwrap();
    assert_eq!(accounts.path.as_deref(), Some(&*folder.path().join("piton.toml")));
    assert!(accounts.resolve("publisher").is_some());
}
