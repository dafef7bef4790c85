//! What an `aws-sdk-*` crate says about its types: names, fields, setters and builders, read from its
//! source. Types and names only; how it talks to AWS is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use syn::{Fields, GenericArgument, ImplItem, Item, PathArguments, ReturnType, Type, Visibility};

/// The public types of one SDK crate.
#[derive(Default)]
pub(crate) struct Source {
    /// Structures in `types` by name.
    pub(crate) structures: BTreeMap<String, Structure>,
    /// String enums in `types`.
    pub(crate) enums: BTreeSet<String>,
    /// Unions in `types`: variant and payload.
    pub(crate) unions: BTreeMap<String, Vec<(String, Ty)>>,
    /// Operations by module name.
    pub(crate) operations: BTreeMap<String, SdkOperation>,
    /// The crate describes its types by schema: inputs and outputs have a `SCHEMA`.
    pub(crate) by_schema: bool,
}

/// Input and output of one operation.
pub(crate) struct SdkOperation {
    pub(crate) input_name: String,
    pub(crate) input: Structure,
    pub(crate) output: Structure,
}

/// A structure: its fields, in the crate's order.
#[derive(Clone, Default)]
pub(crate) struct Structure {
    pub(crate) fields: Vec<(String, Ty)>,
    /// Its builder refuses to build without a required member.
    pub(crate) fallible: bool,
    /// The setters of its builder.
    pub(crate) setters: BTreeSet<String>,
}

/// The type of a field, without its `Option`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// Text, number, time or bytes.
    Leaf,
    /// A type of the crate's `types`.
    Named(String),
    /// `Vec<T>`.
    List(Box<Self>),
    /// `HashMap<K, V>`.
    Map(Box<Self>, Box<Self>),
    /// A body that is streamed.
    Stream,
}

const LEAVES: &[&str] =
    &["String", "bool", "i32", "i64", "f32", "f64", "DateTime", "Blob", "Document"];

/// Folders of the packages of this build by name, as cargo knows them. Asked for this machine's
/// platform alone: what others need may not have been fetched.
pub(crate) fn package_folders() -> Result<BTreeMap<String, PathBuf>, String> {
    let about = answer("RUSTC", "rustc", &["-vV"])?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc -vV names no host")?;
    let arguments = ["metadata", "--format-version=1", "--offline", "--filter-platform", host];
    let metadata = answer("CARGO", "cargo", &arguments)?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let folder = |package: &serde_json::Value| {
        let name = package["name"].as_str()?.to_owned();
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some((name, manifest.parent()?.to_owned()))
    };
    Ok(packages.iter().filter_map(folder).collect())
}

/// What a tool of the toolchain prints; `variable` may say where the tool is.
fn answer(variable: &str, tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env::var_os(variable).unwrap_or_else(|| tool.into()))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| format!("{tool}: {error}"))
    } else {
        Err(format!("{tool}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Reads a crate's `types` and `operation` modules.
pub(crate) fn read(folder: &Path) -> Result<Source, String> {
    let mut source = Source::default();
    let types = folder.join("src/types");
    for path in files(&types)? {
        read_types(&mut source, &parse(&path)?)?;
    }
    let mut schemas = 0;
    for module in files(&folder.join("src/operation"))? {
        if !module.is_dir() {
            continue;
        }
        let name = file_name(&module);
        let mut part = |side: &str| {
            let items = parse(&module.join(format!("_{name}_{side}.rs")))?;
            schemas += usize::from(has_schema(&items));
            let wanted = if side == "input" { "Input" } else { "Output" };
            structure_ending_in(&items, wanted)
                .ok_or_else(|| format!("{name} has no {wanted} structure"))?
        };
        let (input_name, input) = part("input")?;
        let (_, output) = part("output")?;
        source.operations.insert(name, SdkOperation { input_name, input, output });
    }
    source.by_schema = match schemas {
        0 => false,
        all if all == 2 * source.operations.len() => true,
        _ => return Err("some operations have a schema and some have none".to_owned()),
    };
    Ok(source)
}

fn read_types(source: &mut Source, items: &[Item]) -> Result<(), String> {
    for item in items {
        match item {
            Item::Struct(found) if !found.ident.to_string().ends_with("Builder") => {
                let name = found.ident.to_string();
                let structure = structure(items, &name, &found.fields)?;
                source.structures.insert(name, structure);
            }
            Item::Enum(found) => {
                let mut payloads = Vec::new();
                for variant in found.variants.iter().filter(|variant| variant.ident != "Unknown") {
                    if let Fields::Unnamed(fields) = &variant.fields
                        && let Some(field) = fields.unnamed.first()
                    {
                        payloads.push((variant.ident.to_string(), ty(&field.ty)?));
                    }
                }
                if payloads.is_empty() {
                    source.enums.insert(found.ident.to_string());
                } else if payloads.len() + 1 == found.variants.len() {
                    source.unions.insert(found.ident.to_string(), payloads);
                } else {
                    return Err(format!("{} is neither an enum nor a union", found.ident));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a file's type has the constant `SCHEMA`.
fn has_schema(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Impl(block) => block
            .items
            .iter()
            .any(|found| matches!(found, ImplItem::Const(found) if found.ident == "SCHEMA")),
        _ => false,
    })
}

fn structure_ending_in(
    items: &[Item],
    ending: &str,
) -> Option<Result<(String, Structure), String>> {
    items.iter().find_map(|item| match item {
        Item::Struct(found) if found.ident.to_string().ends_with(ending) => {
            let name = found.ident.to_string();
            Some(structure(items, &name, &found.fields).map(|structure| (name, structure)))
        }
        _ => None,
    })
}

fn structure(items: &[Item], name: &str, fields: &Fields) -> Result<Structure, String> {
    let mut structure = Structure::default();
    for field in fields {
        let (Visibility::Public(_), Some(ident)) = (&field.vis, &field.ident) else { continue };
        let ident = ident.to_string();
        let plain = ident.strip_prefix("r#").unwrap_or(&ident).to_owned();
        structure.fields.push((
            plain.clone(),
            ty(&field.ty).map_err(|error| format!("{name}.{plain}: {error}"))?,
        ));
    }
    let builder = format!("{name}Builder");
    for item in items {
        let Item::Impl(block) = item else { continue };
        if block.trait_.is_some() || last_segment(&block.self_ty).as_deref() != Some(&*builder) {
            continue;
        }
        for function in &block.items {
            let ImplItem::Fn(function) = function else { continue };
            let ident = function.sig.ident.to_string();
            if ident == "build" {
                let ReturnType::Type(_, returned) = &function.sig.output else { continue };
                structure.fallible = last_segment(returned).as_deref() == Some("Result");
            } else if ident.starts_with("set_") {
                structure.setters.insert(ident);
            }
        }
    }
    Ok(structure)
}

fn ty(found: &Type) -> Result<Ty, String> {
    let Type::Path(path) = found else { return Err("not a path type".to_owned()) };
    let segments = &path.path.segments;
    let last = segments.last().ok_or("an empty path")?;
    let name = last.ident.to_string();
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(found) => Some(found),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match (name.as_str(), arguments.as_slice()) {
        ("Option" | "Box", [inner]) => ty(inner),
        ("Vec", [element]) => Ok(Ty::List(Box::new(ty(element)?))),
        ("HashMap", [key, value]) => Ok(Ty::Map(Box::new(ty(key)?), Box::new(ty(value)?))),
        ("ByteStream", []) => Ok(Ty::Stream),
        (leaf, []) if LEAVES.contains(&leaf) => Ok(Ty::Leaf),
        (_, []) if segments.iter().any(|segment| segment.ident == "types") => Ok(Ty::Named(name)),
        _ => Err(format!("the type {name} is not known to the generator")),
    }
}

fn last_segment(found: &Type) -> Option<String> {
    match found {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// Entries of a folder that hold types or operations, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| {
        path.is_dir() && file_name(path) != "error" || file_name(path).starts_with('_')
    });
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn parse(path: &Path) -> Result<Vec<Item>, String> {
    if path.is_dir() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(file.items)
}
