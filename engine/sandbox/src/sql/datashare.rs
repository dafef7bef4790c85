//! Datashares: what a producer shares, with whom, and the database that a consumer makes of it.

use sqlparser::tokenizer::Token;

use super::catalog::{
    Catalog, Database, Datashare, Relation, RelationKind, RelationName, Schema, SharedRelation,
};
use super::compile::unsupported;
use super::control::{Actor, Recipient};
use super::parse::{Cursor, near};
use super::{SqlError, Warehouse};

/// GRANT and REVOKE USAGE ON DATASHARE.
pub(super) fn share_with(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    name: &str,
    recipients: &[Recipient],
    give: bool,
) -> Result<(), SqlError> {
    let share = datashare(catalog, actor, name)?;
    for recipient in recipients {
        let Recipient::Consumer(consumer) = recipient else {
            return Err(SqlError::new("a datashare is granted to an ACCOUNT or a NAMESPACE"));
        };
        if give {
            share.consumers.insert(consumer.clone());
        } else {
            share.consumers.remove(consumer);
            if let Some(account) = consumer.strip_prefix("ACCOUNT ") {
                share.authorised.remove(account);
            }
        }
    }
    Ok(())
}

/// The datashare, when it is the user's to change.
pub(super) fn datashare<'c>(
    catalog: &'c mut Catalog,
    actor: &Actor<'_>,
    name: &str,
) -> Result<&'c mut Datashare, SqlError> {
    let superuser = catalog.is_superuser(actor.user);
    let share = catalog
        .datashares
        .get_mut(name)
        .ok_or_else(|| SqlError::new(format!("datashare \"{name}\" does not exist")))?;
    if superuser || share.owner == actor.user {
        Ok(share)
    } else {
        Err(SqlError::new(format!("permission denied for datashare {name}")))
    }
}

/// CREATE DATASHARE.
pub(super) fn create_datashare(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    catalog.require_superuser(actor.user, "create datashare")?;
    let name = cursor.name()?;
    if catalog.datashares.contains_key(&name) {
        return Err(SqlError::new(format!("datashare \"{name}\" already exists")));
    }
    let mut share = Datashare {
        owner: actor.user.to_owned(),
        database: actor.database.to_owned(),
        ..Datashare::default()
    };
    cursor.accept("SET");
    if cursor.accept("PUBLICACCESSIBLE") {
        cursor.accept_token(&Token::Eq);
        share.public = cursor.accept("TRUE") || !cursor.accept("FALSE");
    }
    catalog.datashares.insert(name, share);
    Ok(())
}

/// ALTER DATASHARE.
pub(super) fn alter_datashare(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<(), SqlError> {
    let name = cursor.name()?;
    let database = datashare(catalog, actor, &name)?.database.clone();
    let add = cursor.accept("ADD");
    if !add && !cursor.accept("REMOVE") {
        if !cursor.accept("SET PUBLICACCESSIBLE") {
            return unsupported("this ALTER DATASHARE");
        }
        cursor.accept_token(&Token::Eq);
        let public = cursor.accept("TRUE") || !cursor.accept("FALSE");
        datashare(catalog, actor, &name)?.public = public;
        return Ok(());
    }
    let mut schemas = vec![];
    let mut relations = vec![];
    if cursor.accept("ALL TABLES IN SCHEMA") {
        let schema = cursor.name()?;
        let known = catalog.schema(&database, &schema)?.relations.keys();
        relations.extend(known.map(|relation| format!("{schema}.{relation}")));
    } else if cursor.accept("SCHEMA") {
        let schema = cursor.name()?;
        catalog.schema(&database, &schema)?;
        schemas.push(schema);
    } else if cursor.accept("TABLE") {
        relations = shared_tables(catalog, &database, cursor)?;
    } else {
        return unsupported("this ALTER DATASHARE");
    }
    let share = datashare(catalog, actor, &name)?;
    for schema in schemas {
        if add {
            share.schemas.insert(schema)
        } else {
            share.schemas.remove(&schema)
        };
    }
    for relation in relations {
        if add {
            share.relations.insert(relation)
        } else {
            share.relations.remove(&relation)
        };
    }
    Ok(())
}

/// The existing tables that an ALTER DATASHARE lists, as `schema.name`.
fn shared_tables(
    catalog: &Catalog,
    database: &str,
    cursor: &mut Cursor,
) -> Result<Vec<String>, SqlError> {
    let mut relations = vec![];
    loop {
        let mut parts = cursor.dotted_name()?;
        if parts.len() == 1 {
            parts.insert(0, "public".to_owned());
        }
        let [schema, relation] = &parts[..] else { return Err(near(cursor.peek())) };
        catalog.relation(&RelationName {
            database: database.to_owned(),
            schema: schema.clone(),
            name: relation.clone(),
        })?;
        relations.push(parts.join("."));
        if !cursor.accept_token(&Token::Comma) {
            return Ok(relations);
        }
    }
}

/// `share OF [ACCOUNT id] NAMESPACE uuid`: the database that shows the relations which a producer's
/// share has now, with the producer's rows.
pub(super) fn consumer_database(
    catalog: &mut Catalog,
    actor: &Actor<'_>,
    cursor: &mut Cursor,
) -> Result<Database, SqlError> {
    let name = cursor.name()?;
    cursor.expect("OF")?;
    let account = if cursor.accept("ACCOUNT") { Some(cursor.string()?) } else { None };
    cursor.expect("NAMESPACE")?;
    let namespace = cursor.string()?;
    cursor.accept("WITH PERMISSIONS");
    let refusal = || {
        SqlError::new(format!(
            "datashare \"{name}\" of namespace {namespace} is not shared with this namespace"
        ))
    };
    let (scope, producer) = super::load(actor.world, &namespace).ok_or_else(refusal)?;
    let share = producer.datashares.get(&name).ok_or_else(refusal)?;
    if !share.reaches(&scope.account, actor.account, &catalog.namespace)
        || account.is_some_and(|account| account != scope.account)
    {
        return Err(refusal());
    }
    let mut database = Database {
        owner: actor.user.to_owned(),
        from_datashare: Some(name.clone()),
        ..Database::default()
    };
    for shared in &share.relations {
        let Some((schema, relation)) = shared.split_once('.') else { continue };
        let source = RelationName {
            database: share.database.clone(),
            schema: schema.to_owned(),
            name: relation.to_owned(),
        };
        let Ok(found) = producer.relation(&source) else { continue };
        let link = SharedRelation {
            namespace: namespace.clone(),
            database: source.database.clone(),
            schema: source.schema.clone(),
            relation: source.name.clone(),
            datashare: Some(name.clone()),
        };
        let copy = Relation {
            id: catalog.take_id(),
            owner: actor.user.to_owned(),
            kind: RelationKind::Shared(link),
            columns: found.columns.clone(),
            grants: vec![],
        };
        let empty = Schema { owner: actor.user.to_owned(), ..Schema::default() };
        let schema = database.schemas.entry(schema.to_owned()).or_insert(empty);
        schema.relations.insert(relation.to_owned(), copy);
    }
    Ok(database)
}

/// A datashare as others see it.
#[derive(Debug, Clone)]
pub(crate) struct ShareInfo {
    /// Its name.
    pub(crate) name: String,
    /// Open to clusters that the internet reaches.
    pub(crate) public: bool,
    /// To whom it is granted, as `ACCOUNT <id>` or `NAMESPACE <uuid>`.
    pub(crate) consumers: Vec<String>,
    /// The accounts among them that are authorised.
    pub(crate) authorised: Vec<String>,
    /// Namespaces that are associated, and `ACCOUNT <id>` where all of an account is.
    pub(crate) associated: Vec<String>,
}

impl Warehouse<'_> {
    /// The datashares, in order of name.
    pub(crate) fn datashares(&self) -> Vec<ShareInfo> {
        let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect();
        let shares = self.catalog.datashares.iter();
        shares
            .map(|(name, share)| ShareInfo {
                name: name.clone(),
                public: share.public,
                consumers: list(&share.consumers),
                authorised: list(&share.authorised),
                associated: list(&share.associated),
            })
            .collect()
    }

    /// Gives or takes back the producer's consent that another account uses a datashare; false when
    /// there is no such share, or it is not granted to that account.
    pub(crate) fn authorise(&mut self, share: &str, account: &str, give: bool) -> bool {
        let Some(known) = self.catalog.datashares.get_mut(share) else { return false };
        if !known.consumers.contains(&format!("ACCOUNT {account}")) {
            return false;
        }
        if give {
            known.authorised.insert(account.to_owned());
        } else {
            known.authorised.remove(account);
        }
        self.save();
        true
    }

    /// Gives or takes back a consumer's consent for one of its namespaces, or for `ACCOUNT <id>`; false
    /// when there is no such share, or its producer has not authorised `account`.
    pub(crate) fn associate(
        &mut self,
        share: &str,
        account: &str,
        consumer: &str,
        give: bool,
    ) -> bool {
        let Some(known) = self.catalog.datashares.get_mut(share) else { return false };
        if give && !known.authorised.contains(account) {
            return false;
        }
        if give {
            known.associated.insert(consumer.to_owned());
        } else {
            known.associated.remove(consumer);
        }
        self.save();
        true
    }
}
