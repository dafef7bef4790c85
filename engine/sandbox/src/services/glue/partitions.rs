//! Partitions of tables.

use serde_json::{Value, json};

use super::permission::Wanted;
use super::state::{Partition, Table, add_partition, partitions_of, remove_partition};
use super::{filter, not_found, paging, tables};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};

fn table_of(call: &Call<'_>, wanted: Wanted) -> Result<Table, AwsFault> {
    tables::named(call, "TableName", wanted)
}

/// CreatePartition.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Alter)?;
    add_partition(call.world, &known, call.input.get("PartitionInput").unwrap_or(&Value::Null))?;
    Ok(json!({}))
}

/// BatchCreatePartition: each partition on its own.
pub(super) fn create_many(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Alter)?;
    let list = call.input.get("PartitionInputList").and_then(Value::as_array);
    let errors = list.into_iter().flatten().filter_map(|input| {
        let error = add_partition(call.world, &known, input).err()?;
        Some(detail(&input["Values"], &error))
    });
    Ok(with_errors(&errors.collect::<Vec<_>>()))
}

fn detail(values: &Value, error: &AwsFault) -> Value {
    let detail = json!({"ErrorCode": error.code, "ErrorMessage": error.message});
    json!({"PartitionValues": values, "ErrorDetail": detail})
}

fn with_errors(errors: &[Value]) -> Value {
    if errors.is_empty() { json!({}) } else { json!({"Errors": errors}) }
}

fn find(call: &Call<'_>, known: &Table, values: &[String]) -> Result<Partition, AwsFault> {
    partitions_of(call.world, &known.reference)
        .into_iter()
        .find(|partition| partition.values() == values)
        .ok_or_else(|| not_found(format!("Cannot find partition: [{}]", values.join(", "))))
}

/// GetPartition.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Describe)?;
    let found = find(call, &known, &texts(call.input, "PartitionValues"))?;
    Ok(json!({"Partition": found.shown()}))
}

/// The partitions that a list of `{Values}` names.
fn asked(call: &Call<'_>, member: &str) -> Vec<Vec<String>> {
    let list = call.input.get(member).and_then(Value::as_array);
    list.into_iter().flatten().map(|one| texts(one, "Values")).collect()
}

/// BatchGetPartition.
pub(super) fn get_many(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Describe)?;
    let (mut found, mut missing) = (vec![], vec![]);
    for values in asked(call, "PartitionsToGet") {
        match find(call, &known, &values) {
            Ok(partition) => found.push(partition.shown()),
            Err(_) => missing.push(json!({"Values": values})),
        }
    }
    Ok(json!({"Partitions": found, "UnprocessedKeys": missing}))
}

/// GetPartitions: those that the expression holds for.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Describe)?;
    let filter = filter::Filter::parse(call.text("Expression"), &known.partition_columns())?;
    let items = partitions_of(call.world, &known.reference)
        .iter()
        .filter(|partition| filter.holds(&partition.values()))
        .map(Partition::shown)
        .collect();
    paging(1000).page(call, "Partitions", items)
}

/// GetPartitionIndexes: there are none.
pub(super) fn indexes(call: &Call<'_>) -> Reply {
    table_of(call, Wanted::Describe)?;
    Ok(json!({"PartitionIndexDescriptorList": []}))
}

/// UpdatePartition.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Alter)?;
    let former = find(call, &known, &texts(call.input, "PartitionValueList"))?;
    let input = call.input.get("PartitionInput").unwrap_or(&Value::Null);
    if former.values() == texts(input, "Values") {
        let changed = Partition { input: input.clone(), ..former };
        changed.save(call.world);
    } else {
        add_partition(call.world, &known, input)?;
        remove_partition(call.world, &former);
    }
    Ok(json!({}))
}

/// DeletePartition.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Alter)?;
    let found = find(call, &known, &texts(call.input, "PartitionValues"))?;
    remove_partition(call.world, &found);
    Ok(json!({}))
}

/// BatchDeletePartition: each partition on its own.
pub(super) fn delete_many(call: &Call<'_>) -> Reply {
    let known = table_of(call, Wanted::Alter)?;
    let mut errors = vec![];
    for values in asked(call, "PartitionsToDelete") {
        match find(call, &known, &values) {
            Ok(found) => {
                remove_partition(call.world, &found);
            }
            Err(error) => errors.push(detail(&json!(values), &error)),
        }
    }
    Ok(with_errors(&errors))
}
