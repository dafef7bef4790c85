//! The system tables and views that people and tools read: `pg_*`, `information_schema`, `svv_*`.
//!
//! Each is made from the catalog when a statement names it, and shows what its user may see. They
//! have the columns that matter here, not all of AWS's.

use serde_json::{Value, json};

use super::catalog::{Grant, Grantee, Privilege, Relation, RelationKind, RelationName};
use super::compile::{Compiled, Output, Session, literal};
use super::relation::plain_output;
use super::types::SqlType;

const NAME: SqlType = SqlType::Varchar(128);
const TEXT: SqlType = SqlType::Varchar(1024);

/// A system relation's columns and rows.
struct Table {
    columns: Vec<(&'static str, SqlType)>,
    rows: Vec<Vec<Value>>,
}

/// The system relation of this name as a query, when there is one.
pub(super) fn relation(session: &Session<'_>, parts: &[String]) -> Option<Compiled> {
    let (schema, name) = match parts {
        [name] => (None, name.as_str()),
        [schema, name] => (Some(schema.as_str()), name.as_str()),
        [database, schema, name] if database == session.database => {
            (Some(schema.as_str()), name.as_str())
        }
        _ => return None,
    };
    let table = match schema {
        Some("information_schema") => standard(session, name)?,
        None | Some("pg_catalog") => own(session, name)?,
        Some(_) => return None,
    };
    let list: Vec<String> = (0..table.columns.len())
        .map(|index| format!("json_extract(value, '$[{index}]') AS \"c{}\"", index + 1))
        .collect();
    let rows = Value::Array(table.rows.into_iter().map(Value::Array).collect());
    let sql = format!("SELECT {} FROM json_each({})", list.join(", "), literal(&rows.to_string()));
    let columns =
        table.columns.into_iter().map(|(name, sql_type)| plain_output(name, sql_type)).collect();
    Some(Compiled { sql, columns })
}

fn standard(session: &Session<'_>, name: &str) -> Option<Table> {
    match name {
        "tables" => Some(tables(session, Some(session.database))),
        "columns" => Some(columns(session, Some(session.database))),
        "schemata" => Some(Table {
            columns: vec![("catalog_name", NAME), ("schema_name", NAME), ("schema_owner", NAME)],
            rows: schemas(session, Some(session.database))
                .into_iter()
                .map(|(database, schema, owner)| vec![json!(database), json!(schema), json!(owner)])
                .collect(),
        }),
        _ => None,
    }
}

fn own(session: &Session<'_>, name: &str) -> Option<Table> {
    Some(match name {
        "pg_user" | "pg_user_info" | "svv_user_info" | "svl_user_info" => users(session, name),
        "pg_group" => Table {
            columns: vec![("groname", NAME), ("grosysid", SqlType::Int4)],
            rows: (100..)
                .zip(session.catalog.groups.keys())
                .map(|(id, group)| vec![json!(group), json!(id)])
                .collect(),
        },
        "svv_roles" => Table {
            columns: vec![("role_name", NAME), ("role_owner", NAME)],
            rows: session
                .catalog
                .roles
                .iter()
                .map(|(name, role)| vec![json!(name), json!(role.owner)])
                .collect(),
        },
        "svv_user_grants" => user_grants(session),
        "pg_namespace" => namespaces(session),
        "pg_database" => Table {
            columns: vec![
                ("datname", NAME),
                ("datdba", SqlType::Int4),
                ("datallowconn", SqlType::Bool),
            ],
            rows: session
                .catalog
                .databases
                .iter()
                .map(|(name, database)| {
                    vec![json!(name), json!(user_id(session, &database.owner)), json!(true)]
                })
                .collect(),
        },
        "svv_redshift_databases" => databases(session),
        "pg_tables" | "pg_views" => pg_relations(session, name == "pg_views"),
        "pg_table_def" => table_definitions(session),
        "pg_class" => classes(session),
        "svv_tables" => tables(session, Some(session.database)),
        "svv_columns" => columns(session, Some(session.database)),
        "svv_all_tables" | "svv_redshift_tables" => all_tables(session),
        "svv_all_columns" | "svv_redshift_columns" => all_columns(session),
        "svv_all_schemas" | "svv_redshift_schemas" => all_schemas(session),
        "svv_table_info" => table_info(session),
        "svv_relation_privileges" => relation_privileges(session),
        "svv_schema_privileges" => schema_privileges(session),
        "svv_datashares" => datashares(session),
        "svv_datashare_objects" => datashare_objects(session),
        "svv_datashare_consumers" => datashare_consumers(session),
        _ => return None,
    })
}

fn user_id(session: &Session<'_>, name: &str) -> i64 {
    session.catalog.users.get(name).map_or(1, |user| user.id)
}

/// A relation that the session's user may see.
struct Seen<'s> {
    name: RelationName,
    relation: &'s Relation,
}

impl Seen<'_> {
    fn kind(&self, table: &'static str, view: &'static str) -> &'static str {
        match self.relation.kind {
            RelationKind::View { .. } => view,
            RelationKind::Table { .. } | RelationKind::Shared(_) => table,
        }
    }
}

/// The relations of one database, or of all, that the user has some privilege on.
fn seen<'s>(session: &Session<'s>, database: Option<&str>) -> Vec<Seen<'s>> {
    let catalog = session.catalog;
    let mut found = vec![];
    for (database_name, known) in &catalog.databases {
        if database.is_some_and(|wanted| wanted != database_name) {
            continue;
        }
        for (schema_name, schema) in &known.schemas {
            for (name, relation) in &schema.relations {
                let visible = Privilege::ON_RELATION.into_iter().any(|privilege| {
                    catalog.allows(session.user, &relation.owner, &relation.grants, privilege)
                });
                if visible {
                    let name = RelationName {
                        database: database_name.clone(),
                        schema: schema_name.clone(),
                        name: name.clone(),
                    };
                    found.push(Seen { name, relation });
                }
            }
        }
    }
    found
}

/// Database, schema and owner of the schemas of one database, or of all, that the user may use.
pub(super) fn schemas(
    session: &Session<'_>,
    database: Option<&str>,
) -> Vec<(String, String, String)> {
    let catalog = session.catalog;
    let mut found = vec![];
    for (database_name, known) in &catalog.databases {
        if database.is_some_and(|wanted| wanted != database_name) {
            continue;
        }
        for (name, schema) in &known.schemas {
            let visible = Privilege::ON_SCHEMA.into_iter().any(|privilege| {
                catalog.allows(session.user, &schema.owner, &schema.grants, privilege)
            });
            if visible {
                found.push((database_name.clone(), name.clone(), schema.owner.clone()));
            }
        }
    }
    found
}

/// A relation's columns with their definitions' extras, as they are now.
fn outputs(session: &Session<'_>, seen: &Seen<'_>) -> Vec<Output> {
    super::current_columns(session, &seen.name, seen.relation)
}

fn users(session: &Session<'_>, name: &str) -> Table {
    let mut columns = vec![
        ("usename", NAME),
        ("usesysid", SqlType::Int4),
        ("usecreatedb", SqlType::Bool),
        ("usesuper", SqlType::Bool),
        ("usecatupd", SqlType::Bool),
        ("passwd", NAME),
        ("valuntil", SqlType::Timestamp),
    ];
    if name == "svv_user_info" {
        columns[0].0 = "user_name";
        columns[1].0 = "user_id";
        columns[2].0 = "createdb";
        columns[3].0 = "superuser";
    }
    let rows = session.catalog.users.iter().map(|(name, user)| {
        vec![
            json!(name),
            json!(user.id),
            json!(user.create_database),
            json!(user.superuser),
            json!(user.superuser),
            json!("********"),
            Value::Null,
        ]
    });
    Table { columns, rows: rows.collect() }
}

fn user_grants(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for (role, held) in &session.catalog.roles {
        for user in &held.users {
            rows.push(vec![json!(user_id(session, user)), json!(user), json!(role)]);
        }
    }
    let columns = vec![("user_id", SqlType::Int4), ("user_name", NAME), ("role_name", NAME)];
    Table { columns, rows }
}

fn namespaces(session: &Session<'_>) -> Table {
    let known = schemas(session, Some(session.database));
    let own = known.into_iter().map(|(_, schema, owner)| (schema, owner));
    let system =
        ["information_schema", "pg_catalog"].map(|schema| (schema.to_owned(), "rdsdb".to_owned()));
    let rows = own
        .chain(system)
        .map(|(schema, owner)| vec![json!(schema), json!(user_id(session, &owner)), Value::Null]);
    let columns = vec![("nspname", NAME), ("nspowner", SqlType::Int4), ("nspacl", TEXT)];
    Table { columns, rows: rows.collect() }
}

fn databases(session: &Session<'_>) -> Table {
    let rows = session.catalog.databases.iter().map(|(name, database)| {
        let kind = if database.from_datashare.is_some() { "shared" } else { "local" };
        vec![json!(name), json!(user_id(session, &database.owner)), json!(kind), Value::Null]
    });
    Table {
        columns: vec![
            ("database_name", NAME),
            ("database_owner", SqlType::Int4),
            ("database_type", NAME),
            ("database_acl", TEXT),
        ],
        rows: rows.collect(),
    }
}

fn pg_relations(session: &Session<'_>, views: bool) -> Table {
    let mut rows = vec![];
    for seen in seen(session, Some(session.database)) {
        let mut row =
            vec![json!(seen.name.schema), json!(seen.name.name), json!(seen.relation.owner)];
        match (&seen.relation.kind, views) {
            (RelationKind::View { query, .. }, true) => {
                row.push(json!(query));
                rows.push(row);
            }
            (RelationKind::Table { .. }, false) => rows.push(row),
            _ => {}
        }
    }
    let columns = if views {
        vec![("schemaname", NAME), ("viewname", NAME), ("viewowner", NAME), ("definition", TEXT)]
    } else {
        vec![("schemaname", NAME), ("tablename", NAME), ("tableowner", NAME)]
    };
    Table { columns, rows }
}

/// Only the schemas of the search path, as PG_TABLE_DEF does.
fn table_definitions(session: &Session<'_>) -> Table {
    let path = session.search_path();
    let mut rows = vec![];
    for seen in seen(session, Some(session.database)) {
        let RelationKind::Table { distkey, sortkey, .. } = &seen.relation.kind else { continue };
        if !path.contains(&seen.name.schema.as_str()) {
            continue;
        }
        for column in &seen.relation.columns {
            let sort = sortkey.iter().position(|key| *key == column.name);
            rows.push(vec![
                json!(seen.name.schema),
                json!(seen.name.name),
                json!(column.name),
                json!(column.sql_type.to_string()),
                json!(column.encoding.as_deref().unwrap_or("none")),
                json!(distkey.as_deref() == Some(&column.name)),
                json!(sort.map_or(0, |index| index + 1)),
                json!(!column.nullable),
            ]);
        }
    }
    Table {
        columns: vec![
            ("schemaname", NAME),
            ("tablename", NAME),
            ("column", NAME),
            ("type", NAME),
            ("encoding", NAME),
            ("distkey", SqlType::Bool),
            ("sortkey", SqlType::Int4),
            ("notnull", SqlType::Bool),
        ],
        rows,
    }
}

fn classes(session: &Session<'_>) -> Table {
    let rows = seen(session, Some(session.database)).into_iter().map(|seen| {
        let owner = json!(user_id(session, &seen.relation.owner));
        vec![json!(seen.relation.id), json!(seen.name.name), owner, json!(seen.kind("r", "v"))]
    });
    Table {
        columns: vec![
            ("oid", SqlType::Int8),
            ("relname", NAME),
            ("relowner", SqlType::Int4),
            ("relkind", SqlType::Char(1)),
        ],
        rows: rows.collect(),
    }
}

fn tables(session: &Session<'_>, database: Option<&str>) -> Table {
    let rows = seen(session, database).into_iter().map(|seen| {
        let kind = seen.kind("BASE TABLE", "VIEW");
        let RelationName { database, schema, name } = seen.name;
        vec![json!(database), json!(schema), json!(name), json!(kind), Value::Null]
    });
    Table {
        columns: vec![
            ("table_catalog", NAME),
            ("table_schema", NAME),
            ("table_name", NAME),
            ("table_type", NAME),
            ("remarks", TEXT),
        ],
        rows: rows.collect(),
    }
}

/// Name, position and what follows of every column, in the order that the `columns` views share.
fn column_rows(session: &Session<'_>, database: Option<&str>) -> Vec<Vec<Value>> {
    let mut rows = vec![];
    for seen in seen(session, database) {
        for (index, column) in outputs(session, &seen).into_iter().enumerate() {
            let definition = seen.relation.columns.get(index);
            let sql_type = column.sql_type;
            let text = matches!(sql_type, SqlType::Char(_) | SqlType::Varchar(_));
            let exact = sql_type.is_integer() || matches!(sql_type, SqlType::Numeric { .. });
            rows.push(vec![
                json!(seen.name.database),
                json!(seen.name.schema),
                json!(seen.name.name),
                json!(column.name),
                json!(index + 1),
                json!(definition.and_then(|definition| definition.default.clone())),
                json!(if column.nullable { "YES" } else { "NO" }),
                json!(sql_type.standard_name()),
                json!(text.then(|| sql_type.length())),
                json!(exact.then(|| sql_type.precision())),
                json!(exact.then(|| sql_type.scale())),
                Value::Null,
            ]);
        }
    }
    rows
}

const COLUMN_TAIL: [(&str, SqlType); 9] = [
    ("column_name", NAME),
    ("ordinal_position", SqlType::Int4),
    ("column_default", TEXT),
    ("is_nullable", NAME),
    ("data_type", NAME),
    ("character_maximum_length", SqlType::Int4),
    ("numeric_precision", SqlType::Int4),
    ("numeric_scale", SqlType::Int4),
    ("remarks", TEXT),
];

fn columns(session: &Session<'_>, database: Option<&str>) -> Table {
    let mut columns = vec![("table_catalog", NAME), ("table_schema", NAME), ("table_name", NAME)];
    columns.extend(COLUMN_TAIL);
    Table { columns, rows: column_rows(session, database) }
}

fn all_columns(session: &Session<'_>) -> Table {
    let mut columns = vec![("database_name", NAME), ("schema_name", NAME), ("table_name", NAME)];
    columns.extend(COLUMN_TAIL);
    Table { columns, rows: column_rows(session, None) }
}

fn all_tables(session: &Session<'_>) -> Table {
    let rows = seen(session, None).into_iter().map(|seen| {
        let kind = seen.kind("TABLE", "VIEW");
        let RelationName { database, schema, name } = seen.name;
        vec![json!(database), json!(schema), json!(name), Value::Null, json!(kind), Value::Null]
    });
    Table {
        columns: vec![
            ("database_name", NAME),
            ("schema_name", NAME),
            ("table_name", NAME),
            ("table_acl", TEXT),
            ("table_type", NAME),
            ("remarks", TEXT),
        ],
        rows: rows.collect(),
    }
}

fn all_schemas(session: &Session<'_>) -> Table {
    let rows = schemas(session, None).into_iter().map(|(database, schema, owner)| {
        vec![json!(database), json!(schema), json!(user_id(session, &owner)), json!("local")]
    });
    Table {
        columns: vec![
            ("database_name", NAME),
            ("schema_name", NAME),
            ("schema_owner", SqlType::Int4),
            ("schema_type", NAME),
        ],
        rows: rows.collect(),
    }
}

fn table_info(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for seen in seen(session, Some(session.database)) {
        let RelationKind::Table { diststyle, sortkey, .. } = &seen.relation.kind else { continue };
        rows.push(vec![
            json!(seen.name.database),
            json!(seen.name.schema),
            json!(seen.relation.id),
            json!(seen.name.name),
            json!(diststyle),
            json!(sortkey.first()),
            json!(super::row_count(session, &seen.name)),
        ]);
    }
    Table {
        columns: vec![
            ("database", NAME),
            ("schema", NAME),
            ("table_id", SqlType::Int8),
            ("table", NAME),
            ("diststyle", NAME),
            ("sortkey1", NAME),
            ("tbl_rows", SqlType::Numeric { precision: 38, scale: 0 }),
        ],
        rows,
    }
}

/// Who holds what, one row for each privilege.
fn grant_rows(session: &Session<'_>, head: &[Value], grants: &[Grant], rows: &mut Vec<Vec<Value>>) {
    for grant in grants {
        let (kind, name, id) = match &grant.grantee {
            Grantee::Public => ("public", "public", 0),
            Grantee::User(name) => ("user", name.as_str(), user_id(session, name)),
            Grantee::Group(name) => ("group", name.as_str(), 0),
            Grantee::Role(name) => ("role", name.as_str(), 0),
        };
        for privilege in &grant.privileges {
            let mut row = head.to_vec();
            row.extend([
                json!(privilege.word()),
                json!(id),
                json!(name),
                json!(kind),
                json!(false),
            ]);
            rows.push(row);
        }
    }
}

const GRANT_TAIL: [(&str, SqlType); 5] = [
    ("privilege_type", NAME),
    ("identity_id", SqlType::Int4),
    ("identity_name", NAME),
    ("identity_type", NAME),
    ("admin_option", SqlType::Bool),
];

fn relation_privileges(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for seen in seen(session, Some(session.database)) {
        let head = [json!(seen.name.schema), json!(seen.name.name)];
        grant_rows(session, &head, &seen.relation.grants, &mut rows);
    }
    let mut columns = vec![("namespace_name", NAME), ("relation_name", NAME)];
    columns.extend(GRANT_TAIL);
    Table { columns, rows }
}

fn schema_privileges(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for (database, name, _) in schemas(session, Some(session.database)) {
        if let Ok(schema) = session.catalog.schema(&database, &name) {
            grant_rows(session, &[json!(name)], &schema.grants, &mut rows);
        }
    }
    let mut columns = vec![("namespace_name", NAME)];
    columns.extend(GRANT_TAIL);
    Table { columns, rows }
}

fn datashares(session: &Session<'_>) -> Table {
    let catalog = session.catalog;
    let outbound = catalog.datashares.iter().map(|(name, share)| {
        let owner = user_id(session, &share.owner);
        vec![
            json!(name),
            json!(owner),
            json!(share.database),
            Value::Null,
            json!("OUTBOUND"),
            json!(share.public),
            json!(catalog.namespace),
        ]
    });
    let inbound = catalog.databases.iter().filter_map(|(name, database)| {
        let share = database.from_datashare.as_ref()?;
        Some(vec![
            json!(share),
            Value::Null,
            Value::Null,
            json!(name),
            json!("INBOUND"),
            json!(false),
            Value::Null,
        ])
    });
    Table {
        columns: vec![
            ("share_name", NAME),
            ("share_owner", SqlType::Int4),
            ("source_database", NAME),
            ("consumer_database", NAME),
            ("share_type", NAME),
            ("is_publicaccessible", SqlType::Bool),
            ("producer_namespace", NAME),
        ],
        rows: outbound.chain(inbound).collect(),
    }
}

fn datashare_objects(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for (name, share) in &session.catalog.datashares {
        let schemas = share.schemas.iter().map(|schema| ("schema", schema));
        let relations = share.relations.iter().map(|relation| ("table", relation));
        for (kind, object) in schemas.chain(relations) {
            rows.push(vec![json!("OUTBOUND"), json!(name), json!(kind), json!(object)]);
        }
    }
    Table {
        columns: vec![
            ("share_type", NAME),
            ("share_name", NAME),
            ("object_type", NAME),
            ("object_name", NAME),
        ],
        rows,
    }
}

fn datashare_consumers(session: &Session<'_>) -> Table {
    let mut rows = vec![];
    for (name, share) in &session.catalog.datashares {
        for consumer in &share.consumers {
            let account = consumer.strip_prefix("ACCOUNT ");
            let namespace = consumer.strip_prefix("NAMESPACE ");
            rows.push(vec![json!(name), json!(account), json!(namespace)]);
        }
    }
    Table {
        columns: vec![
            ("share_name", NAME),
            ("consumer_account", NAME),
            ("consumer_namespace", NAME),
        ],
        rows,
    }
}
