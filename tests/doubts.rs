//! Every changing operation that the sandbox has, with its reply lost after the effect: in a process
//! that lives on, in one that dies and is resumed, and in one that is resumed days later.
//!
//! Each has to end adopted, repeated without a second effect, or stuck until a person says what
//! became of it; the world has to be the one that an undisturbed run leaves. What is expected stands
//! with each case, in `doubts/*.rhai`; an operation without a case fails the test, and so does a case
//! that ends otherwise.

mod bench;
mod cases;
mod compare;
mod table;

use std::collections::BTreeSet;

use piton_core::catalogue::{self, ModelFacts};
use piton_core::status::{Reason, RunStatus};

use bench::{Bench, Death};
use cases::Case;

/// Operations that no call can carry out in the sandbox, and why.
const OUT_OF_REACH: [(&str, &str); 5] = [
    (
        "datazone.update_subscription_grant_status",
        "for assets whose grants people fulfil; every asset type of the sandbox is DataZone's own",
    ),
    ("s3.delete_bucket_replication", "there is no replication to delete"),
    ("s3.put_bucket_acl", "only the list that a bucket has anyway is accepted"),
    ("s3.put_bucket_replication", "it needs versions of objects, which the sandbox has not"),
    ("s3.put_bucket_versioning", "the sandbox has no versions of objects"),
];

/// Whether the catalogue says that an operation changes something.
fn is_mutating(service: &str, operation: &str) -> bool {
    let model = piton_models::service(service).unwrap();
    let found = model.operation_by_script_name(operation).unwrap();
    let facts = ModelFacts {
        has_token: model.token_member(found).is_some(),
        idempotent: found.idempotent,
        readonly: found.readonly,
    };
    catalogue::class(service, operation, facts).is_mutating()
}

/// The changing operations of the sandbox, `service.operation`.
fn changing() -> BTreeSet<String> {
    let all = piton_sandbox::coverage();
    all.flat_map(|(service, operations)| {
        operations.iter().filter_map(move |name| {
            let operation = piton_models::names::to_script(name);
            is_mutating(service, &operation).then(|| format!("{service}.{operation}"))
        })
    })
    .collect()
}

#[test]
fn every_changing_operation_of_the_sandbox_has_a_case() {
    let out_of_reach = OUT_OF_REACH.map(|(operation, _)| operation.to_owned());
    let cases: BTreeSet<String> = cases::all().iter().map(Case::name).collect();
    let known: BTreeSet<String> = cases.iter().cloned().chain(out_of_reach).collect();
    let changing = changing();
    let missing: Vec<&String> = changing.difference(&known).collect();
    assert!(missing.is_empty(), "no case for {missing:#?}");
    let idle: Vec<&String> = known.difference(&changing).collect();
    assert!(idle.is_empty(), "a case for what changes nothing: {idle:#?}");
}

#[test]
fn the_counts_are_those_of_the_guide() {
    table::check(&cases::all());
}

/// What somebody else does in the world of `datazone.create_project`, before the run goes on.
const COLLEAGUE: &str = r##"
runbook(#{ title: "colleague", accounts: #{ colleague: #{ doc: "c" } } });
let datazone = aws("colleague").datazone;
let domain = datazone.list_domains(#{}).items[0].id;
output("id", datazone.create_project(#{ domainIdentifier: domain, name: "third", description: "one more" }).id);
"##;

#[test]
fn what_somebody_else_made_meanwhile_is_for_a_person() {
    let all = cases::of("datazone");
    let case = all.iter().find(|case| case.operation == "create_project").unwrap();
    let death =
        Death { service: "datazone", operation: "create_project", after: 2, has_effect: false };
    let bench = Bench::new(false).start_and_die(&case.script, death);
    let colleague = bench.beside();
    assert_eq!(colleague.start(COLLEAGUE).end.status, RunStatus::Succeeded);
    assert_eq!(bench.resume().end.status, RunStatus::Stuck);
    let row = bench.journal().find(&bench::run().0).unwrap();
    match row.summary.reasons() {
        [Reason::Doubt { candidates, .. }] => {
            assert_eq!(candidates.len(), 1, "{candidates:?}");
            assert_eq!(candidates[0].name.as_deref(), Some("third"));
            assert!(candidates[0].created_at.is_some() && candidates[0].created_by.is_some());
            assert_eq!(candidates[0].differences[0].field, "createdBy");
        }
        other => panic!("no doubt: {other:?}"),
    }
}

macro_rules! services {
    ($($service:ident),* $(,)?) => {$(
        #[test]
        fn $service() {
            compare::all_end_as_expected(&cases::of(stringify!($service)));
        }
    )*};
}

services!(
    athena,
    glue,
    iam,
    kms,
    lakeformation,
    ram,
    redshift,
    redshift_data,
    redshift_serverless,
    s3,
    secretsmanager,
);

/// The largest one, in parts that go on at the same time.
mod datazone {
    use super::{cases, compare};

    fn part(part: usize) {
        let all = cases::of("datazone");
        let ours: Vec<_> = all.into_iter().skip(part).step_by(4).collect();
        compare::all_end_as_expected(&ours);
    }

    #[test]
    fn first() {
        part(0);
    }

    #[test]
    fn second() {
        part(1);
    }

    #[test]
    fn third() {
        part(2);
    }

    #[test]
    fn fourth() {
        part(3);
    }
}
