//! Who calls: the people of a world, and the register of access keys.
//!
//! The account and the caller of a request come from its access key id alone: signatures are not
//! verified, because nothing here is worth protecting, and a key says all that a cross-account
//! rehearsal needs. Keys are made from names, so that a world has the same ones each time, and look
//! fake on purpose. What a caller may do is `access`'s part; the users and roles themselves are
//! `services::iam`'s.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::services::{AwsFault, iam};
use crate::world::{Scope, World, parse_timestamp, timestamp};

const KEY: &str = "_people/key";
const PERSON: &str = "_people/person";

/// One person of a world, with the keys that sign in as them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name a runbook uses, `publisher`; of one of several accounts, `subscriber/222222222222`.
    pub alias: String,
    /// Twelve digits.
    pub account: String,
    /// ARN of the user, or of the role's session.
    pub arn: String,
    /// Region to use unless a runbook says another.
    pub region: String,
    /// Access key id; the sandbox knows the caller by it.
    pub access_key_id: String,
    /// Secret key: anything would do, this one is printed so that clients have something to sign with.
    pub secret_access_key: String,
}

/// What kind of principal a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PrincipalKind {
    /// An IAM user.
    User,
    /// A session of an IAM role.
    Role,
    /// The account itself: it only makes what a world starts with.
    Root,
}

/// The authenticated caller of one request.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// Twelve digits.
    pub(crate) account: String,
    /// `arn:aws:iam::111111111111:user/admin`, or
    /// `arn:aws:sts::111111111111:assumed-role/Role/session`.
    pub(crate) arn: String,
    /// ARN of the user or role itself: what policies, trust and DataZone's user profiles name.
    pub(crate) identity_arn: String,
    /// User or role.
    pub(crate) kind: PrincipalKind,
    /// STS's `UserId`: the user's id, or role id and session name.
    pub(crate) user_id: String,
    /// Name of the user or role, without its path.
    pub(crate) name: String,
    /// The world's name for this person; session keys keep that of whoever asked for them.
    pub(crate) alias: Option<String>,
    /// Session of temporary keys.
    pub(crate) session: Option<Session>,
}

/// Temporary credentials' other half.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Session name, the last part of the session's ARN.
    pub(crate) name: String,
    /// The token that must travel with the key.
    pub(crate) token: String,
    /// After this moment of the virtual clock, RFC 3339, the key answers `ExpiredToken`.
    pub(crate) expires: String,
    /// Session policy: the session may do no more than this.
    pub(crate) policy: Option<String>,
}

/// Freshly minted temporary credentials.
#[derive(Debug, Clone)]
pub(crate) struct SessionCredentials {
    /// `ASIA…`.
    pub(crate) access_key_id: String,
    /// Secret key.
    pub(crate) secret_access_key: String,
    /// Session token.
    pub(crate) session_token: String,
    /// When they stop working.
    pub(crate) expiration: OffsetDateTime,
    /// ARN of the session.
    pub(crate) arn: String,
}

/// One registered access key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) account: String,
    pub(crate) kind: PrincipalKind,
    /// Name of the IAM user or role.
    pub(crate) holder: String,
    pub(crate) alias: Option<String>,
    /// Session name of a person who is a role.
    pub(crate) session_name: Option<String>,
    /// Switched off by UpdateAccessKey.
    pub(crate) active: bool,
    pub(crate) session: Option<Session>,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
    /// A key of the world's people, not one that IAM made: it is not listed by IAM.
    pub(crate) seeded: bool,
}

/// What a person of a new world is.
pub(crate) struct NewPerson<'a> {
    pub(crate) alias: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) kind: PrincipalKind,
    /// User or role name, with its path when it has one (`/team/publisher`).
    pub(crate) name: &'a str,
}

/// Adds a person with their keys. The IAM user or role is made by others, or later by a runbook.
pub(crate) fn add_person(world: &World<'_>, new: &NewPerson<'_>) -> Person {
    let (path, name) = split_path(new.name);
    let arn = match new.kind {
        PrincipalKind::User | PrincipalKind::Root => {
            format!("arn:aws:iam::{}:user{path}{name}", new.account)
        }
        PrincipalKind::Role => session_arn(new.account, name, base_alias(new.alias)),
    };
    let seed = format!("{}/{}", new.account, new.alias);
    let person = Person {
        alias: new.alias.to_owned(),
        account: new.account.to_owned(),
        arn,
        region: new.region.to_owned(),
        access_key_id: key_id("AKIA", &seed),
        secret_access_key: secret(&seed),
    };
    let key = AccessKey {
        id: person.access_key_id.clone(),
        secret: person.secret_access_key.clone(),
        account: person.account.clone(),
        kind: new.kind,
        holder: name.to_owned(),
        alias: Some(person.alias.clone()),
        session_name: (new.kind == PrincipalKind::Role)
            .then(|| base_alias(&person.alias).to_owned()),
        active: true,
        session: None,
        created: world.now_text(),
        seeded: true,
    };
    put_key(world, &key);
    world.put(&Scope::global(&person.account), PERSON, &person.alias, &person);
    person
}

/// A name with its path (`/team/publisher`) as path and name; the path of a plain name is `/`.
pub(crate) fn split_path(name: &str) -> (&str, &str) {
    name.rfind('/').map_or(("/", name), |slash| (&name[..=slash], &name[slash + 1..]))
}

/// An alias without the account that it may name.
pub(crate) fn base_alias(alias: &str) -> &str {
    alias.split('/').next().unwrap_or(alias)
}

/// The person with this alias.
pub(crate) fn person(world: &World<'_>, alias: &str) -> Option<Person> {
    world.find_anywhere::<Person>(PERSON, alias).map(|stored| stored.document)
}

/// Everyone, in the order of the world's file.
pub(crate) fn people(world: &World<'_>) -> Vec<Person> {
    world.list_everywhere::<Person>(PERSON).into_iter().map(|stored| stored.document).collect()
}

/// Who signs with this key at this moment, or the error that AWS has for it.
pub(crate) fn sign_in(
    world: &World<'_>,
    access_key_id: &str,
    token: Option<&str>,
) -> Result<Principal, AwsFault> {
    let invalid = || {
        refusal("InvalidClientTokenId", "The security token included in the request is invalid.")
    };
    let key = world
        .find_anywhere::<AccessKey>(KEY, access_key_id)
        .map(|stored| stored.document)
        .filter(|key| key.active)
        .ok_or_else(invalid)?;
    if let Some(session) = &key.session {
        if token != Some(session.token.as_str()) {
            return Err(invalid());
        }
        if parse_timestamp(&session.expires).is_none_or(|expires| expires <= world.now()) {
            return Err(refusal(
                "ExpiredToken",
                "The security token included in the request is expired",
            ));
        }
    }
    identify(world, key).ok_or_else(invalid)
}

/// The principal of a key whose user or role exists.
fn identify(world: &World<'_>, key: AccessKey) -> Option<Principal> {
    let (identity_arn, id) = match key.kind {
        PrincipalKind::User => iam::user_by_name(world, &key.account, &key.holder)
            .map(|user| (user.arn, user.user_id))?,
        PrincipalKind::Role => iam::role_by_name(world, &key.account, &key.holder)
            .map(|role| (role.arn, role.role_id))?,
        PrincipalKind::Root => return None,
    };
    let session_name = match &key.session {
        Some(session) => Some(session.name.clone()),
        None => key.session_name.clone(),
    };
    let (arn, user_id) = match (key.kind, session_name) {
        (PrincipalKind::Role, Some(session)) => {
            (session_arn(&key.account, &key.holder, &session), format!("{id}:{session}"))
        }
        _ => (identity_arn.clone(), id),
    };
    Some(Principal {
        account: key.account,
        arn,
        identity_arn,
        kind: key.kind,
        user_id,
        name: key.holder,
        alias: key.alias,
        session: key.session,
    })
}

/// What a session may be restricted to and remembered by.
#[derive(Debug, Default)]
pub(crate) struct SessionTerms<'a> {
    /// How long it lasts.
    pub(crate) lasts: Duration,
    /// Session policy document.
    pub(crate) policy: Option<&'a str>,
    /// Alias of the person who asked.
    pub(crate) alias: Option<&'a str>,
}

/// Makes temporary keys for a role of `account`; trust is the caller's to check.
pub(crate) fn mint_role_session(
    world: &World<'_>,
    account: &str,
    role_name: &str,
    session_name: &str,
    terms: &SessionTerms<'_>,
) -> SessionCredentials {
    mint(world, account, PrincipalKind::Role, role_name, session_name, terms)
}

/// Makes temporary keys for a user, as GetSessionToken does.
pub(crate) fn mint_user_session(
    world: &World<'_>,
    account: &str,
    user_name: &str,
    terms: &SessionTerms<'_>,
) -> SessionCredentials {
    mint(world, account, PrincipalKind::User, user_name, user_name, terms)
}

fn mint(
    world: &World<'_>,
    account: &str,
    kind: PrincipalKind,
    holder: &str,
    session_name: &str,
    terms: &SessionTerms<'_>,
) -> SessionCredentials {
    let seed = format!("{account}/{holder}/{session_name}/{}", world.next_number("session"));
    let minted = SessionCredentials {
        access_key_id: key_id("ASIA", &seed),
        secret_access_key: secret(&seed),
        session_token: format!("sandbox-session-{}", hex(&seed, 32)),
        expiration: world.now() + terms.lasts,
        arn: session_arn(account, holder, session_name),
    };
    let key = AccessKey {
        id: minted.access_key_id.clone(),
        secret: minted.secret_access_key.clone(),
        account: account.to_owned(),
        kind,
        holder: holder.to_owned(),
        alias: terms.alias.map(str::to_owned),
        session_name: None,
        active: true,
        session: Some(Session {
            name: session_name.to_owned(),
            token: minted.session_token.clone(),
            expires: timestamp(minted.expiration),
            policy: terms.policy.map(str::to_owned),
        }),
        created: timestamp(world.now()),
        seeded: true,
    };
    put_key(world, &key);
    minted
}

/// Makes a long-lived key for a user, as IAM's CreateAccessKey does.
pub(crate) fn create_access_key(world: &World<'_>, account: &str, user_name: &str) -> AccessKey {
    let seed = format!("{account}/{user_name}/{}", world.next_number("access key"));
    let key = AccessKey {
        id: key_id("AKIA", &seed),
        secret: secret(&seed),
        account: account.to_owned(),
        kind: PrincipalKind::User,
        holder: user_name.to_owned(),
        alias: None,
        session_name: None,
        active: true,
        session: None,
        created: world.now_text(),
        seeded: false,
    };
    put_key(world, &key);
    key
}

/// The long-lived keys that IAM made for a user.
pub(crate) fn access_keys(world: &World<'_>, account: &str, user_name: &str) -> Vec<AccessKey> {
    world
        .list::<AccessKey>(&Scope::global(account), KEY)
        .into_iter()
        .filter(|key| !key.seeded && key.kind == PrincipalKind::User && key.holder == user_name)
        .collect()
}

/// The key with this id in an account.
pub(crate) fn access_key(world: &World<'_>, account: &str, id: &str) -> Option<AccessKey> {
    world.get(&Scope::global(account), KEY, id)
}

/// The account of any key, whoever asks.
pub(crate) fn account_of_key(world: &World<'_>, id: &str) -> Option<String> {
    world.find_anywhere::<AccessKey>(KEY, id).map(|stored| stored.document.account)
}

/// Writes a key, new or changed.
pub(crate) fn put_key(world: &World<'_>, key: &AccessKey) {
    world.put(&Scope::global(&key.account), KEY, &key.id, key);
}

/// Removes a key.
pub(crate) fn delete_key(world: &World<'_>, account: &str, id: &str) -> bool {
    world.delete(&Scope::global(account), KEY, id)
}

fn session_arn(account: &str, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

/// An error of the sign-in, which has 403 in every protocol.
fn refusal(code: &str, message: &str) -> AwsFault {
    AwsFault { code: code.to_owned(), message: message.to_owned(), status: Some(403) }
}

/// Twenty characters like AWS's, with SANDBOX in the middle.
fn key_id(prefix: &str, seed: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(seed.as_bytes());
    let tail: String =
        digest.iter().take(9).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    format!("{prefix}SANDBOX{tail}")
}

/// Forty characters, as long as AWS's.
fn secret(seed: &str) -> String {
    format!("sandbox/{}", hex(&format!("secret {seed}"), 32))
}

/// The first `length` hex digits of the seed's digest.
pub(crate) fn hex(seed: &str, length: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(length);
    text
}
