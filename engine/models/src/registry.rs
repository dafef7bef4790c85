//! The models by the script's name of their service: embedded ones, parsed once each at first use, and
//! those that a person added.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use crate::{Model, ModelError};

macro_rules! embedded {
    (bound: [$($bound:literal),* $(,)?], further: [$($further:literal),* $(,)?] $(,)?) => {
        const BOUND: &[&str] = &[$($bound),*];
        const FURTHER: &[&str] = &[$($further),*];

        /// The model of a service by the script's name (`redshift_data`), or nothing when there is
        /// none. The first call for an embedded service parses it; later ones are free.
        ///
        /// # Panics
        /// When an embedded model is damaged: a test parses every one of them.
        pub fn service(name: &str) -> Option<&'static Model> {
            match name {
                $($bound => embedded!(@parsed $bound, "../data/"),)*
                $($further => embedded!(@parsed $further, "../data/further/"),)*
                added => ADDED.get()?.models.get(added),
            }
        }
    };
    (@parsed $name:literal, $folder:literal) => {{
        static MODEL: OnceLock<Model> = OnceLock::new();
        Some(MODEL.get_or_init(|| {
            parse($name, include_str!(concat!($folder, $name, ".json")))
        }))
    }};
}

embedded!(
    bound: [
        "athena",
        "datazone",
        "glue",
        "iam",
        "lakeformation",
        "ram",
        "redshift",
        "redshift_data",
        "redshift_serverless",
        "secretsmanager",
        "sts",
    ],
    further: ["cloudtrail", "eventbridge", "kms", "organizations", "s3", "service_quotas", "sns"],
);

/// The models that a person added.
struct Added {
    models: BTreeMap<&'static str, Model>,
    /// The embedded further services, and these.
    further: Vec<&'static str>,
}

static ADDED: OnceLock<Added> = OnceLock::new();

/// Models that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is no usable model.
    #[error("{}: {error}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ModelError,
    },
    /// A model of that name is part of the program.
    #[error("the service {0} is part of Piton already")]
    Known(String),
}

/// The script's names of the services that have a typed binding.
pub fn services() -> &'static [&'static str] {
    BOUND
}

/// The script's names of the services that are called by their model alone: those that are embedded,
/// then those that were added.
pub fn further_services() -> &'static [&'static str] {
    ADDED.get().map_or(FURTHER, |added| &added.further)
}

/// Adds every `<service>.json` of a folder, for the rest of the process; to be called once, before
/// anything looks for a model. A folder that is not there adds nothing.
///
/// # Errors
/// When a file cannot be read, is no model, or has the name of an embedded one.
pub fn add_folder(folder: &Path) -> Result<(), AddError> {
    let at = |error| AddError::Io { path: folder.to_owned(), error };
    let is_absent = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        other => other.map_err(at)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(at)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut models = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path)
            .map_err(|error| AddError::Io { path: path.clone(), error })?;
        let mut model =
            Model::parse(&text).map_err(|error| AddError::Model { path: path.clone(), error })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&name)?;
        model.script_name.clone_from(&name);
        // For the rest of the process, as the embedded names are.
        let name: &'static str = name.leak();
        models.insert(name, model);
    }
    let further = FURTHER.iter().copied().chain(models.keys().copied()).collect();
    // A second folder in one process would change what a name means.
    let _ = ADDED.set(Added { models, further });
    Ok(())
}

/// Makes one model of botocore's files for a service: `service-2.json`, `paginators-1.json` and
/// `endpoint-rule-set-1.json`. Returns the script's name of the service and the text to keep as
/// `<name>.json` in a folder for [`add_folder`].
///
/// # Errors
/// When they are no usable model, or the service is part of the program.
pub fn assemble(
    path: &Path,
    service: &str,
    paginators: Option<&str>,
    rules: Option<&str>,
) -> Result<(String, String), AddError> {
    let unusable = |error| AddError::Model { path: path.to_owned(), error };
    // Textually: a parsed map would lose the order of members.
    let mut text = service.trim_end().strip_suffix('}').unwrap_or(service).to_owned();
    if let Some(paginators) = paginators {
        let paginators: serde_json::Value =
            serde_json::from_str(paginators).map_err(|error| unusable(error.into()))?;
        let _ = write!(text, ",\n\"paginators\":{}", paginators["pagination"]);
    }
    if let Some(rules) = rules {
        text.push_str(",\n\"endpointRules\":");
        text.push_str(rules);
    }
    text.push_str("}\n");
    let model = Model::parse(&text).map_err(unusable)?;
    let name = model.metadata.service_id.to_lowercase().replace([' ', '-'], "_");
    check_name(&name)?;
    Ok((name, text))
}

fn check_name(name: &str) -> Result<(), AddError> {
    match BOUND.contains(&name) || FURTHER.contains(&name) {
        true => Err(AddError::Known(name.to_owned())),
        false => Ok(()),
    }
}

/// botocore's list of partitions, which endpoint rules refer to: region patterns and DNS suffixes.
pub fn partitions() -> &'static serde_json::Value {
    static PARTITIONS: OnceLock<serde_json::Value> = OnceLock::new();
    PARTITIONS.get_or_init(|| {
        serde_json::from_str(include_str!("../data/partitions.json"))
            .expect("the partitions are part of the program and are read by a test")
    })
}

fn parse(name: &str, text: &str) -> Model {
    let mut model = Model::parse(text).unwrap_or_else(|error| panic!("model {name}: {error}"));
    name.clone_into(&mut model.script_name);
    model
}
