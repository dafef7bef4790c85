//! The embedded models, parsed once each at first use.

use std::sync::OnceLock;

use crate::Model;

macro_rules! embedded {
    (bound: [$($bound:literal),* $(,)?], further: [$($further:literal),* $(,)?] $(,)?) => {
        const BOUND: &[&str] = &[$($bound),*];
        const FURTHER: &[&str] = &[$($further),*];
        embedded!(@lookup $($bound,)* $($further,)*);
    };
    (@lookup $($name:literal,)*) => {
        /// The model of a service by the script's name (`redshift_data`), or nothing when it is not
        /// embedded. The first call for a service parses it; later ones are free.
        ///
        /// # Panics
        /// When an embedded model is damaged: a test parses every one of them.
        pub fn service(name: &str) -> Option<&'static Model> {
            match name {
                $($name => {
                    static MODEL: OnceLock<Model> = OnceLock::new();
                    Some(MODEL.get_or_init(|| {
                        parse($name, include_str!(concat!("../data/", $name, ".json")))
                    }))
                })*
                _ => None,
            }
        }
    };
}

embedded!(
    bound: ["datazone", "iam", "redshift", "redshift_data", "secretsmanager", "sts"],
    further: ["redshift_serverless"],
);

/// The script's names of the services that have a typed binding.
pub fn services() -> &'static [&'static str] {
    BOUND
}

/// The script's names of services that are embedded as models alone: they can be looked up and
/// checked against, and have no typed binding.
pub fn further_services() -> &'static [&'static str] {
    FURTHER
}

fn parse(name: &str, text: &str) -> Model {
    let mut model = Model::parse(text).unwrap_or_else(|error| panic!("model {name}: {error}"));
    name.clone_into(&mut model.script_name);
    model
}
