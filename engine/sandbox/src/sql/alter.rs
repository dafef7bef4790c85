//! ALTER TABLE.

use std::cell::Cell;

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ObjectName, RenameTableNameKind,
    TableConstraint,
};

use super::cast::assigned;
use super::catalog::{Catalog, ColumnDefinition, Privilege, RelationKind, RelationName};
use super::compile::{Compiler, folded, quoted, unsupported};
use super::ddl::{Ddl, column, exists, require_table};
use super::parse::{TableAttributes, expression};
use super::relation::parts;
use super::types::SqlType;
use super::{SqlError, run_sql};

impl Ddl<'_> {
    /// ALTER TABLE.
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> Result<(), SqlError> {
        let name = self.session().resolve_here(&parts(&alter.name)?)?;
        self.catalog.require_owner(self.user, &name).or_else(|error| {
            match self.catalog.require_relation(self.user, &name, Privilege::Alter) {
                Ok(()) => Ok(()),
                Err(_) => Err(error),
            }
        })?;
        for operation in &alter.operations {
            self.alter(&name, operation)?;
        }
        Ok(())
    }

    fn alter(
        &mut self,
        name: &RelationName,
        operation: &AlterTableOperation,
    ) -> Result<(), SqlError> {
        if let AlterTableOperation::RenameTable {
            table_name: RenameTableNameKind::To(new) | RenameTableNameKind::As(new),
        } = operation
        {
            return self.rename_relation(name, new);
        }
        require_table(self.catalog, name)?;
        match operation {
            AlterTableOperation::AddColumn { column_def, if_not_exists, .. } => {
                let column = column(column_def, &TableAttributes::default())?;
                self.add_column(name, column, *if_not_exists)
            }
            AlterTableOperation::DropColumn { column_names, if_exists, .. } => column_names
                .iter()
                .try_for_each(|ident| self.drop_column(name, &folded(ident), *if_exists)),
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                let (old, new) = (folded(old_column_name), folded(new_column_name));
                definition(self.catalog, name, &old)?.name.clone_from(&new);
                let table = self.storage(name);
                let (old, new) = (quoted(&old), quoted(&new));
                run_sql(self.world, &format!("ALTER TABLE {table} RENAME COLUMN {old} TO {new}"))
                    .map(|_| ())
            }
            AlterTableOperation::AlterColumn {
                column_name,
                op: AlterColumnOperation::SetDataType { data_type, using: None, .. },
            } => {
                let to = SqlType::declared(data_type)?;
                let column = definition(self.catalog, name, &folded(column_name))?;
                let (SqlType::Varchar(_), SqlType::Varchar(_)) = (column.sql_type, to) else {
                    return Err(SqlError::new(format!(
                        "cannot alter type of column \"{}\" from {} to {to}",
                        column.name, column.sql_type
                    )));
                };
                column.sql_type = to;
                Ok(())
            }
            // Keys inform the planner in Redshift and are not enforced.
            AlterTableOperation::AddConstraint { constraint, .. } => match constraint {
                TableConstraint::PrimaryKey(_)
                | TableConstraint::Unique(_)
                | TableConstraint::ForeignKey(_) => Ok(()),
                other => unsupported(format!("the constraint {other}")),
            },
            AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::AlterSortKey { .. } => Ok(()),
            other => unsupported(format!("ALTER TABLE .. {other}")),
        }
    }

    fn add_column(
        &mut self,
        name: &RelationName,
        column: ColumnDefinition,
        if_not_exists: bool,
    ) -> Result<(), SqlError> {
        let columns = &self.catalog.relation(name)?.columns;
        if columns.iter().any(|known| known.name == column.name) {
            return match if_not_exists {
                true => Ok(()),
                false => Err(SqlError::new(format!(
                    "column \"{}\" of relation \"{}\" already exists",
                    column.name, name.name
                ))),
            };
        }
        if !column.nullable && column.default.is_none() {
            return Err(SqlError::new(
                "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression",
            ));
        }
        let (table, quoted) = (self.storage(name), quoted(&column.name));
        let affinity = column.sql_type.affinity();
        run_sql(self.world, &format!("ALTER TABLE {table} ADD COLUMN {quoted} {affinity}"))?;
        if let Some(default) = &column.default {
            let counter = Cell::new(0);
            let value = Compiler::new(self.session(), &counter).expr(&expression(default)?)?;
            let value = assigned(&value, column.sql_type)?;
            run_sql(self.world, &format!("UPDATE {table} SET {quoted} = {value}"))?;
        }
        self.catalog.relation_mut(name)?.columns.push(column);
        Ok(())
    }

    fn drop_column(
        &mut self,
        name: &RelationName,
        dropped: &str,
        if_exists: bool,
    ) -> Result<(), SqlError> {
        let columns = &mut self.catalog.relation_mut(name)?.columns;
        let before = columns.len();
        columns.retain(|column| column.name != dropped);
        if columns.len() == before {
            return if if_exists { Ok(()) } else { Err(no_column(dropped, name)) };
        }
        let (table, dropped) = (self.storage(name), quoted(dropped));
        run_sql(self.world, &format!("ALTER TABLE {table} DROP COLUMN {dropped}")).map(|_| ())
    }

    fn rename_relation(&mut self, name: &RelationName, new: &ObjectName) -> Result<(), SqlError> {
        let [new] = &parts(new)?[..] else {
            return Err(SqlError::new("a new name has no schema"));
        };
        let target = RelationName { name: new.clone(), ..name.clone() };
        if self.catalog.relation(&target).is_ok() {
            return Err(exists(new));
        }
        if matches!(self.catalog.relation(name)?.kind, RelationKind::Table { .. }) {
            let sql =
                format!("ALTER TABLE {} RENAME TO {}", self.storage(name), self.storage(&target));
            run_sql(self.world, &sql)?;
        }
        let schema = self.catalog.schema_mut(&name.database, &name.schema)?;
        if let Some(relation) = schema.relations.remove(&name.name) {
            schema.relations.insert(new.clone(), relation);
        }
        Ok(())
    }
}

fn no_column(column: &str, name: &RelationName) -> SqlError {
    SqlError::new(format!("column \"{column}\" of relation \"{}\" does not exist", name.name))
}

fn definition<'c>(
    catalog: &'c mut Catalog,
    name: &RelationName,
    column: &str,
) -> Result<&'c mut ColumnDefinition, SqlError> {
    catalog
        .relation_mut(name)?
        .columns
        .iter_mut()
        .find(|known| known.name == column)
        .ok_or_else(|| no_column(column, name))
}
