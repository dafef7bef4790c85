//! Statements that change who may do what: users, groups, roles, grants; and CREATE DATABASE.
//!
//! They never reach SQLite: they are read word by word and change the catalog. `datashare` has those
//! about datashares.

use sqlparser::tokenizer::Token;

use super::SqlError;
use super::catalog::{
    Catalog, Grant, Grantee, Privilege, RelationName, Role, add_grant, digest, remove_grant,
};
use super::compile::{Session, Typed, unsupported};
use super::datashare::{
    alter_datashare, consumer_database, create_datashare, datashare, share_with,
};
use super::parse::{Cursor, near};
use super::types::SqlType;
use crate::world::World;

/// Who runs a statement, and where.
pub(super) struct Actor<'a> {
    pub(super) world: &'a World<'a>,
    /// Account of the cluster.
    pub(super) account: &'a str,
    pub(super) user: &'a str,
    pub(super) database: &'a str,
}

/// Runs the statement when it is one of these; says whether it was.
pub(super) fn run(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<bool, SqlError> {
    if cursor.accept("GRANT") {
        grant(catalog, actor, cursor, true)?;
    } else if cursor.accept("REVOKE") {
        cursor.accept("GRANT OPTION FOR");
        grant(catalog, actor, cursor, false)?;
    } else if cursor.accept("CREATE USER") {
        create_user(catalog, actor, cursor)?;
    } else if cursor.accept("ALTER USER") {
        alter_user(catalog, actor, cursor)?;
    } else if cursor.accept("DROP USER") {
        drop_user(catalog, actor, cursor)?;
    } else if cursor.accept("CREATE GROUP") {
        create_group(catalog, actor, cursor)?;
    } else if cursor.accept("ALTER GROUP") {
        alter_group(catalog, actor, cursor)?;
    } else if cursor.accept("DROP GROUP") {
        catalog.require_superuser(actor.user, "drop group")?;
        let name = cursor.name()?;
        missing_unless(catalog.groups.remove(&name).is_some(), "group", &name)?;
    } else if cursor.accept("CREATE ROLE") {
        create_role(catalog, actor, cursor)?;
    } else if cursor.accept("DROP ROLE") {
        catalog.require_superuser(actor.user, "drop role")?;
        let name = cursor.user_name()?;
        missing_unless(catalog.roles.remove(&name).is_some(), "role", &name)?;
        cursor.accept("FORCE");
    } else if cursor.accept("CREATE DATASHARE") {
        create_datashare(catalog, actor, cursor)?;
    } else if cursor.accept("ALTER DATASHARE") {
        alter_datashare(catalog, actor, cursor)?;
    } else if cursor.accept("DROP DATASHARE") {
        let name = cursor.name()?;
        datashare(catalog, actor, &name)?;
        catalog.datashares.remove(&name);
    } else if cursor.accept("CREATE DATABASE") {
        create_database(catalog, actor, cursor)?;
    } else {
        return Ok(false);
    }
    cursor.end()?;
    Ok(true)
}

fn missing_unless(found: bool, kind: &str, name: &str) -> Result<(), SqlError> {
    if found { Ok(()) } else { Err(SqlError::new(format!("{kind} \"{name}\" does not exist"))) }
}

/// `GRANT privileges ON objects TO grantees`, `GRANT ROLE a TO b`, and REVOKE with FROM.
fn grant(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
    give: bool,
) -> Result<(), SqlError> {
    if cursor.accept("ROLE") {
        return grant_role(catalog, actor, cursor, give);
    }
    let mut words = vec![];
    loop {
        words.push(cursor.keyword()?);
        if *cursor.peek() == Token::LParen {
            return unsupported("a privilege on single columns");
        }
        cursor.accept("PRIVILEGES");
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
    }
    if !cursor.accept("ON") {
        return unsupported(format!("GRANT {}", words.join(", ")));
    }
    let objects = objects(catalog, actor, cursor)?;
    cursor.expect(if give { "TO" } else { "FROM" })?;
    let grantees = grantees(catalog, cursor)?;
    cursor.accept("WITH GRANT OPTION");
    cursor.accept("CASCADE");
    cursor.accept("RESTRICT");
    for object in &objects {
        require_grantor(catalog, actor, object)?;
        let privileges = privileges(&words, object)?;
        if let Object::Datashare(name) = object {
            share_with(catalog, actor, name, &grantees, give)?;
            continue;
        }
        let grants = grants_of(catalog, object)?;
        for grantee in &grantees {
            let Recipient::Known(grantee) = grantee else {
                return Err(SqlError::new(
                    "only a datashare is granted to accounts and namespaces",
                ));
            };
            if give {
                add_grant(grants, grantee, &privileges);
            } else {
                remove_grant(grants, grantee, &privileges);
            }
        }
    }
    Ok(())
}

/// What a grant is on.
enum Object {
    Relation(RelationName),
    Schema { database: String, name: String },
    Database(String),
    Datashare(String),
}

/// To whom.
pub(super) enum Recipient {
    Known(Grantee),
    /// `ACCOUNT <id>` or `NAMESPACE <uuid>`, of a datashare.
    Consumer(String),
}

fn objects(
    catalog: &Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<Vec<Object>, SqlError> {
    let database = actor.database;
    let mut found = vec![];
    if cursor.accept("ALL TABLES IN SCHEMA") {
        loop {
            let schema = cursor.name()?;
            let relations = &catalog.schema(database, &schema)?.relations;
            found.extend(relations.keys().map(|name| {
                Object::Relation(RelationName {
                    database: database.to_owned(),
                    schema: schema.clone(),
                    name: name.clone(),
                })
            }));
            if !cursor.accept_token(&Token::Comma) {
                return Ok(found);
            }
        }
    }
    let kind = ["SCHEMA", "DATABASE", "DATASHARE", "TABLE"]
        .into_iter()
        .find(|kind| cursor.accept(kind))
        .unwrap_or("TABLE");
    for unknown in ["FUNCTION", "PROCEDURE", "LANGUAGE", "ALL FUNCTIONS", "MODEL", "EXTERNAL"] {
        if cursor.accept(unknown) {
            return unsupported(format!("GRANT ON {unknown}"));
        }
    }
    loop {
        let parts = cursor.dotted_name()?;
        found.push(match (kind, &parts[..]) {
            ("SCHEMA", [name]) => {
                catalog.schema(database, name)?;
                Object::Schema { database: database.to_owned(), name: name.clone() }
            }
            ("SCHEMA", [database, name]) => {
                catalog.schema(database, name)?;
                Object::Schema { database: database.clone(), name: name.clone() }
            }
            ("DATABASE", [name]) => {
                catalog.database(name)?;
                Object::Database(name.clone())
            }
            ("DATASHARE", [name]) => Object::Datashare(name.clone()),
            ("TABLE", parts) => Object::Relation(catalog.resolve(actor.user, database, parts)?),
            _ => return Err(near(cursor.peek())),
        });
        if !cursor.accept_token(&Token::Comma) {
            return Ok(found);
        }
    }
}

fn grantees(catalog: &Catalog, cursor: &mut Cursor) -> Result<Vec<Recipient>, SqlError> {
    let mut found = vec![];
    loop {
        found.push(if cursor.accept("GROUP") {
            let name = cursor.name()?;
            missing_unless(catalog.groups.contains_key(&name), "group", &name)?;
            Recipient::Known(Grantee::Group(name))
        } else if cursor.accept("ROLE") {
            let name = cursor.user_name()?;
            missing_unless(catalog.roles.contains_key(&name), "role", &name)?;
            Recipient::Known(Grantee::Role(name))
        } else if cursor.accept("PUBLIC") {
            Recipient::Known(Grantee::Public)
        } else if cursor.accept("ACCOUNT") {
            let account = cursor.string()?;
            cursor.accept("VIA DATA CATALOG");
            Recipient::Consumer(format!("ACCOUNT {account}"))
        } else if cursor.accept("NAMESPACE") {
            Recipient::Consumer(format!("NAMESPACE {}", cursor.string()?))
        } else {
            let name = cursor.user_name()?;
            catalog.user(&name)?;
            Recipient::Known(Grantee::User(name))
        });
        if !cursor.accept_token(&Token::Comma) {
            return Ok(found);
        }
    }
}

fn privileges(words: &[String], object: &Object) -> Result<Vec<Privilege>, SqlError> {
    let allowed: &[Privilege] = match object {
        Object::Relation(_) => &Privilege::ON_RELATION,
        Object::Schema { .. } => &Privilege::ON_SCHEMA,
        Object::Database(_) => &Privilege::ON_DATABASE,
        Object::Datashare(_) => &[Privilege::Usage, Privilege::Alter],
    };
    if words == ["ALL"] {
        return Ok(allowed.to_vec());
    }
    words
        .iter()
        .map(|word| {
            Privilege::named(word).filter(|privilege| allowed.contains(privilege)).ok_or_else(
                || SqlError::new(format!("invalid privilege type {word} for this object")),
            )
        })
        .collect()
}

fn require_grantor(catalog: &Catalog, actor: &Actor<'_>, object: &Object) -> Result<(), SqlError> {
    let (owner, what) = match object {
        Object::Relation(name) => {
            (catalog.relation(name)?.owner.clone(), format!("relation {}", name.name))
        }
        Object::Schema { database, name } => {
            (catalog.schema(database, name)?.owner.clone(), format!("schema {name}"))
        }
        Object::Database(name) => {
            (catalog.database(name)?.owner.clone(), format!("database {name}"))
        }
        Object::Datashare(_) => return Ok(()),
    };
    if catalog.is_superuser(actor.user) || owner == actor.user {
        return Ok(());
    }
    Err(SqlError::new(format!("permission denied for {what}")))
}

fn grants_of<'c>(
    catalog: &'c mut Catalog,
    object: &Object,
) -> Result<&'c mut Vec<Grant>, SqlError> {
    Ok(match object {
        Object::Relation(name) => &mut catalog.relation_mut(name)?.grants,
        Object::Schema { database, name } => &mut catalog.schema_mut(database, name)?.grants,
        Object::Database(name) | Object::Datashare(name) => &mut catalog.database_mut(name)?.grants,
    })
}

fn grant_role(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
    give: bool,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "grant role")?;
    let mut names = vec![];
    loop {
        names.push(cursor.user_name()?);
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
        cursor.accept("ROLE");
    }
    cursor.expect(if give { "TO" } else { "FROM" })?;
    let grantees = grantees(catalog, cursor)?;
    cursor.accept("WITH ADMIN OPTION");
    for name in names {
        let role = catalog
            .roles
            .get_mut(&name)
            .ok_or_else(|| SqlError::new(format!("role \"{name}\" does not exist")))?;
        for grantee in &grantees {
            match grantee {
                Recipient::Known(Grantee::User(user)) if give => role.users.insert(user.clone()),
                Recipient::Known(Grantee::User(user)) => role.users.remove(user),
                Recipient::Known(Grantee::Role(outer)) if give => role.roles.insert(outer.clone()),
                Recipient::Known(Grantee::Role(outer)) => role.roles.remove(outer),
                _ => return Err(SqlError::new("a role is granted to users and roles")),
            };
        }
    }
    Ok(())
}

/// The options behind CREATE USER and ALTER USER.
fn user_options(catalog: &mut Catalog, name: &str, cursor: &mut Cursor) -> Result<(), SqlError> {
    cursor.accept("WITH");
    let mut changed = catalog.user(name)?.clone();
    while *cursor.peek() != Token::EOF {
        if cursor.accept("PASSWORD DISABLE") {
            changed.password = None;
        } else if cursor.accept("PASSWORD") {
            changed.password = Some(digest(&cursor.string()?));
        } else if cursor.accept("CREATEUSER") {
            changed.superuser = true;
            changed.create_database = true;
        } else if cursor.accept("NOCREATEUSER") {
            changed.superuser = false;
        } else if cursor.accept("CREATEDB") {
            changed.create_database = true;
        } else if cursor.accept("NOCREATEDB") {
            changed.create_database = false;
        } else if cursor.accept("IN GROUP") {
            loop {
                let group = cursor.name()?;
                let members = catalog
                    .groups
                    .get_mut(&group)
                    .ok_or_else(|| SqlError::new(format!("group \"{group}\" does not exist")))?;
                members.insert(name.to_owned());
                if !cursor.accept_token(&Token::Comma) {
                    break;
                }
            }
        } else if cursor.accept("VALID UNTIL") {
            cursor.string()?;
        } else if ["SYSLOG ACCESS", "CONNECTION LIMIT", "SESSION TIMEOUT"]
            .into_iter()
            .any(|option| cursor.accept(option))
        {
            cursor.next();
        } else {
            return Err(near(cursor.peek()));
        }
    }
    catalog.users.insert(name.to_owned(), changed);
    Ok(())
}

fn create_user(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "create user")?;
    let name = cursor.user_name()?;
    if catalog.users.contains_key(&name) {
        return Err(SqlError::new(format!("user \"{name}\" already exists")));
    }
    catalog.add_user(&name, false, None);
    user_options(catalog, &name, cursor)
}

fn alter_user(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    let name = cursor.user_name()?;
    if name != actor.user {
        catalog.require_superuser(actor.user, "alter user")?;
    }
    if cursor.accept("RENAME TO") || cursor.accept("SET") || cursor.accept("RESET") {
        return unsupported("renaming a user, or its settings,");
    }
    let was = catalog.user(&name)?.superuser;
    user_options(catalog, &name, cursor)?;
    if !was && catalog.user(&name)?.superuser {
        catalog.require_superuser(actor.user, "alter user")?;
    }
    Ok(())
}

fn drop_user(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "drop user")?;
    let quiet = cursor.accept("IF EXISTS");
    loop {
        let name = cursor.user_name()?;
        let schemas = || catalog.databases.values().flat_map(|database| database.schemas.values());
        let owns = catalog.databases.values().any(|database| database.owner == name)
            || schemas().any(|schema| {
                schema.owner == name
                    || schema.relations.values().any(|relation| relation.owner == name)
            });
        if owns {
            return Err(SqlError::new(format!(
                "user \"{name}\" cannot be dropped because the user owns some object"
            )));
        }
        missing_unless(catalog.users.remove(&name).is_some() || quiet, "user", &name)?;
        for members in catalog.groups.values_mut() {
            members.remove(&name);
        }
        for role in catalog.roles.values_mut() {
            role.users.remove(&name);
        }
        if !cursor.accept_token(&Token::Comma) {
            return Ok(());
        }
    }
}

fn create_group(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "create group")?;
    let name = cursor.name()?;
    if catalog.groups.contains_key(&name) {
        return Err(SqlError::new(format!("group \"{name}\" already exists")));
    }
    catalog.groups.insert(name.clone(), std::collections::BTreeSet::new());
    if cursor.accept("WITH USER") || cursor.accept("USER") {
        members(catalog, &name, cursor, true)?;
    }
    Ok(())
}

fn alter_group(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "alter group")?;
    let name = cursor.name()?;
    if cursor.accept("ADD USER") {
        members(catalog, &name, cursor, true)
    } else if cursor.accept("DROP USER") {
        members(catalog, &name, cursor, false)
    } else {
        unsupported("renaming a group")
    }
}

fn members(
    catalog: &mut Catalog,
    group: &str,
    cursor: &mut Cursor,
    add: bool,
) -> Result<(), SqlError> {
    loop {
        let user = cursor.user_name()?;
        catalog.user(&user)?;
        let members = catalog
            .groups
            .get_mut(group)
            .ok_or_else(|| SqlError::new(format!("group \"{group}\" does not exist")))?;
        if add {
            members.insert(user);
        } else {
            members.remove(&user);
        }
        if !cursor.accept_token(&Token::Comma) {
            return Ok(());
        }
    }
}

fn create_role(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "create role")?;
    let name = cursor.user_name()?;
    if catalog.roles.contains_key(&name) {
        return Err(SqlError::new(format!("role \"{name}\" already exists")));
    }
    catalog.roles.insert(name, Role { owner: actor.user.to_owned(), ..Role::default() });
    Ok(())
}

fn create_database(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    if !catalog.user(actor.user)?.create_database {
        return Err(SqlError::new("permission denied to create database"));
    }
    let name = cursor.name()?;
    if catalog.databases.contains_key(&name) {
        return Err(SqlError::new(format!("database \"{name}\" already exists")));
    }
    if cursor.accept("FROM DATASHARE") {
        let database = consumer_database(catalog, actor, cursor)?;
        catalog.databases.insert(name, database);
        return Ok(());
    }
    let mut owner = actor.user.to_owned();
    cursor.accept("WITH");
    while *cursor.peek() != Token::EOF {
        if cursor.accept("OWNER") {
            cursor.accept_token(&Token::Eq);
            owner = cursor.user_name()?;
            catalog.user(&owner)?;
        } else if cursor.accept("CONNECTION LIMIT") || cursor.accept("COLLATE") {
            cursor.next();
        } else {
            return Err(near(cursor.peek()));
        }
    }
    catalog.add_database(&name, &owner);
    Ok(())
}

/// `has_table_privilege([user,] table, privilege)` and its relatives.
pub(super) fn has_privilege(
    session: &Session<'_>,
    function: &str,
    arguments: &[Typed],
) -> Result<Typed, SqlError> {
    let text = |value: &Typed| value.sql.trim_matches('\'').replace("''", "'");
    let (user, object, privilege) = match arguments {
        [object, privilege] => (session.user.to_owned(), text(object), text(privilege)),
        [user, object, privilege] => (text(user), text(object), text(privilege)),
        _ => {
            return Err(SqlError::new(format!("function {function} takes two or three arguments")));
        }
    };
    let privilege = Privilege::named(&privilege)
        .ok_or_else(|| SqlError::new(format!("unrecognized privilege type: \"{privilege}\"")))?;
    session.catalog.user(&user)?;
    let object = object.to_lowercase();
    let allowed = match function {
        "has_schema_privilege" => {
            session.catalog.require_schema(&user, session.database, &object, privilege)
        }
        "has_database_privilege" => {
            let database = session.catalog.database(&object)?;
            match session.catalog.allows(&user, &database.owner, &database.grants, privilege) {
                true => Ok(()),
                false => Err(SqlError::new("permission denied")),
            }
        }
        _ => {
            let parts: Vec<String> = object.split('.').map(str::to_owned).collect();
            let name = session.resolve(&parts)?;
            session.catalog.require_relation(&user, &name, privilege)
        }
    };
    Ok(Typed::new(if allowed.is_ok() { "1" } else { "0" }, SqlType::Bool).named(function))
}
