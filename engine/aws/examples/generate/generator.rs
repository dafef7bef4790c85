//! Joins an SDK crate's types with the service model's wire names, and writes the rows of
//! `src/bound/<service>.rs`. What a row means is in `src/bound.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use piton_models::{Member, Model, Shape};

use crate::source::{self, Source, Structure, Ty};

/// Script's name of a service and its crate.
const SERVICES: [(&str, &str); 11] = [
    ("athena", "aws-sdk-athena"),
    ("datazone", "aws-sdk-datazone"),
    ("glue", "aws-sdk-glue"),
    ("iam", "aws-sdk-iam"),
    ("lakeformation", "aws-sdk-lakeformation"),
    ("ram", "aws-sdk-ram"),
    ("redshift", "aws-sdk-redshift"),
    ("redshift_data", "aws-sdk-redshiftdata"),
    ("redshift_serverless", "aws-sdk-redshiftserverless"),
    ("secretsmanager", "aws-sdk-secretsmanager"),
    ("sts", "aws-sdk-sts"),
];

/// The generated files: path and text.
pub(crate) fn generate() -> Result<Vec<(PathBuf, String)>, String> {
    let folders = source::package_folders()?;
    let mut files = Vec::new();
    for (service, package) in SERVICES {
        let folder = folders.get(package).ok_or_else(|| format!("no package {package}"))?;
        let model = piton_models::service(service).ok_or_else(|| format!("no model {service}"))?;
        let source = source::read(folder)?;
        let join =
            Join::new(model, &source).run().map_err(|error| format!("{package}: {error}"))?;
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bound").join(format!("{service}.rs"));
        files.push((path, join.write(package)));
    }
    Ok(files)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    In,
    Out,
}

/// A crate and a model being walked side by side, from each operation's input and output.
struct Join<'a> {
    model: &'a Model,
    source: &'a Source,
    /// Rows by direction and type, in the order they are written.
    rows: BTreeMap<(Direction, String), String>,
    enums: BTreeSet<String>,
    operations: Vec<String>,
    /// What only the model has.
    left_out: BTreeSet<String>,
}

impl<'a> Join<'a> {
    fn new(model: &'a Model, source: &'a Source) -> Self {
        Self {
            model,
            source,
            rows: BTreeMap::new(),
            enums: BTreeSet::new(),
            operations: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    fn run(mut self) -> Result<Self, String> {
        for (name, operation) in &self.source.operations {
            let modelled = self
                .model
                .operation_by_script_name(name)
                .ok_or_else(|| format!("the model has no operation {name}"))?;
            let builder = format!("operation::{name}::builders::{}Builder", operation.input_name);
            let empty = empty_shape();
            let input = self.model.input_shape(modelled).unwrap_or(&empty);
            let rows = self.fields(&modelled.name, &operation.input, input, Direction::In)?;
            self.rows
                .insert((Direction::In, builder.clone()), format!("sent {builder} {{{rows}}}"));
            let output_name = operation.input_name.trim_end_matches("Input");
            let output_type = format!("operation::{name}::{output_name}Output");
            let output = self.model.output_shape(modelled).unwrap_or(&empty);
            let (streams, kept) = without_streams(&operation.output);
            let rows = self.fields(&modelled.name, &kept, output, Direction::Out)?;
            self.rows
                .insert((Direction::Out, output_type.clone()), format!("{output_type} {{{rows}}}"));
            let streamed = match streams.as_slice() {
                [] => String::new(),
                [field] => {
                    let (member, _) = member_of(output, field)
                        .ok_or_else(|| format!("the model has no member {field} in {name}"))?;
                    self.left_out.remove(&format!("{}.{member}", modelled.name));
                    format!(", {field} {member:?}")
                }
                _ => return Err(format!("{name} streams more than one member")),
            };
            self.operations.push(if self.source.by_schema {
                if !streamed.is_empty() {
                    return Err(format!("{name}: a schema with a stream is not known here"));
                }
                let mut moved = String::new();
                for (field, _) in &operation.input.fields {
                    let plain =
                        if is_keyword(field) { format!("r#{field}") } else { field.clone() };
                    let _ = write!(moved, "\n        set_{field} {plain},");
                }
                let input = format!("operation::{name}::{}", operation.input_name);
                format!("\"{name}\" {input}, {builder} {{{moved}\n    }}")
            } else {
                format!("\"{name}\" {builder}{streamed};")
            });
        }
        for operation in self.model.operations.values() {
            if !self.source.operations.contains_key(&operation.script_name()) {
                self.left_out.insert(operation.script_name());
            }
        }
        Ok(self)
    }

    /// The rows of a structure's members; everything they reach is added on the way.
    fn fields(
        &mut self,
        owner: &str,
        structure: &Structure,
        shape: &Shape,
        direction: Direction,
    ) -> Result<String, String> {
        let mut rows = String::new();
        let mut bound = BTreeSet::new();
        for (field, ty) in &structure.fields {
            let (member, reference) = member_of(shape, field)
                .ok_or_else(|| format!("the model has no member {field} in {owner}"))?;
            bound.insert(member.as_str());
            self.reach(ty, &reference.shape, direction)?;
            let name = match direction {
                Direction::Out if is_keyword(field) => format!("r#{field}"),
                Direction::Out => field.clone(),
                Direction::In => format!("set_{field}"),
            };
            if direction == Direction::In && !structure.setters.contains(&name) {
                return Err(format!("{owner} has no setter {name}"));
            }
            let _ = write!(rows, "\n    {name} {member:?},");
        }
        for (member, _) in &shape.members.0 {
            if !bound.contains(member.as_str()) {
                self.left_out.insert(format!("{owner}.{member}"));
            }
        }
        if !rows.is_empty() {
            rows.push('\n');
        }
        Ok(rows)
    }

    fn reach(&mut self, ty: &Ty, shape_name: &str, direction: Direction) -> Result<(), String> {
        let shape = self.model.shape(shape_name);
        let inner = |member: &Option<Box<Member>>| {
            let member = member.as_ref().map(|member| member.shape.clone());
            member.ok_or_else(|| format!("{shape_name} has no element shape"))
        };
        match ty {
            Ty::Leaf => Ok(()),
            Ty::Stream => Err(format!("{shape_name} is streamed in a place not known here")),
            Ty::List(element) => self.reach(element, &inner(&shape.member)?, direction),
            Ty::Map(key, value) => {
                self.reach(key, &inner(&shape.key)?, direction)?;
                self.reach(value, &inner(&shape.value)?, direction)
            }
            Ty::Named(name) => self.named(name, shape, direction),
        }
    }

    fn named(&mut self, name: &str, shape: &Shape, direction: Direction) -> Result<(), String> {
        let source = self.source;
        if source.enums.contains(name) {
            self.enums.insert(name.to_owned());
            return Ok(());
        }
        let key = (direction, format!("types::{name}"));
        if self.rows.contains_key(&key) {
            return Ok(());
        }
        // Recursive types come by here again before their row is written.
        self.rows.insert(key.clone(), String::new());
        let row = if let Some(structure) = source.structures.get(name) {
            let rows = self.fields(name, structure, shape, direction)?;
            match (direction, structure.fallible) {
                (Direction::Out, _) => format!("types::{name} {{{rows}}}"),
                (Direction::In, true) => format!("checked types::{name} {{{rows}}}"),
                (Direction::In, false) => format!("plain types::{name} {{{rows}}}"),
            }
        } else if let Some(variants) = source.unions.get(name) {
            let mut rows = String::new();
            for (variant, ty) in variants {
                let (member, reference) = member_of(shape, variant)
                    .ok_or_else(|| format!("the model has no member {variant} in {name}"))?;
                self.reach(ty, &reference.shape, direction)?;
                let _ = write!(rows, "\n    {variant} {member:?},");
            }
            for (member, _) in &shape.members.0 {
                if !variants.iter().any(|(variant, _)| same_name(variant, member)) {
                    self.left_out.insert(format!("{name}.{member}"));
                }
            }
            format!("union types::{name} {{{rows}\n}}")
        } else {
            return Err(format!("the crate has no type {name}"));
        };
        self.rows.insert(key, row);
        Ok(())
    }

    fn write(&self, package: &str) -> String {
        let krate = package.replace('-', "_");
        let service = &self.model.script_name;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "// @generated by `cargo run -p piton-aws --example generate`: change the generator instead.\n\
             //! The rows that bind `{service}` to `{package}`: every operation, every member by its wire name.\n\
             //! What a row means is in `bound.rs`.\n\n\
             use {krate}::{uses};\n",
            uses = match self.source.by_schema {
                true => "{Client, operation}",
                false => "{Client, operation, types}",
            },
        );
        let _ = writeln!(
            out,
            "/// What the model has and this version of the crate has not.\n\
             pub(crate) const LEFT_OUT: &[&str] = &["
        );
        for name in &self.left_out {
            let _ = writeln!(out, "    {name:?},");
        }
        // The types of a crate with schemas convert themselves.
        if self.source.by_schema {
            let _ = writeln!(out, "];\n\noperations_by_schema! {{ {service:?}");
        } else {
            let _ = writeln!(out, "];\n\noperations! {{");
        }
        for operation in &self.operations {
            let _ = writeln!(out, "    {operation}");
        }
        if self.source.by_schema {
            out.push_str("}\n");
            return out;
        }
        let _ = writeln!(out, "}}\n\nenums! {{");
        for name in &self.enums {
            let _ = writeln!(out, "    types::{name},");
        }
        out.push_str("}\n");
        for ((direction, _), row) in &self.rows {
            let name = if *direction == Direction::In { "input" } else { "output" };
            let _ = writeln!(out, "\n{name}! {{ {row} }}");
        }
        out
    }
}

/// The fields that are streamed, and the structure without them.
fn without_streams(structure: &Structure) -> (Vec<String>, Structure) {
    let mut kept = structure.clone();
    kept.fields.retain(|(_, ty)| *ty != Ty::Stream);
    let streams = structure.fields.iter().filter(|(_, ty)| *ty == Ty::Stream);
    (streams.map(|(field, _)| field.clone()).collect(), kept)
}

/// The member of a shape that a Rust name stands for.
fn member_of<'a>(shape: &'a Shape, rust: &str) -> Option<&'a (String, Member)> {
    shape.members.0.iter().find(|(member, _)| same_name(rust, member))
}

/// A Rust name and a wire name that differ in case and separators alone.
fn same_name(rust: &str, wire: &str) -> bool {
    let plain = |name: &str| {
        let kept = name.chars().filter(char::is_ascii_alphanumeric);
        kept.map(|character| character.to_ascii_lowercase()).collect::<String>()
    };
    plain(rust) == plain(wire)
}

fn is_keyword(name: &str) -> bool {
    syn::parse_str::<syn::Ident>(name).is_err()
}

/// Stands for the input or output of an operation that the model gives none.
fn empty_shape() -> Shape {
    serde_json::from_str(r#"{"type":"structure"}"#).expect("a structure without members is a shape")
}
