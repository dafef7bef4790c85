//! Who starts a run, and who decides in it.

use piton_aws::DEFAULT_ALIAS;
use piton_core::account::Principal;
use piton_core::gate::Decider;

use crate::context::Context;
use crate::failure::Failure;
use crate::wiring::{Surroundings, identify_diagnostic};
use crate::worlds::World;

/// The person of a world who starts runs when nobody says who: its first administrator.
fn first_administrator(world: &World) -> Result<String, Failure> {
    let spec = world.sandbox.spec()?;
    let administrator = spec.people.iter().find(|person| {
        person.administrator
            || person.policies.iter().any(|policy| policy.ends_with("AdministratorAccess"))
    });
    let Some(described) = administrator.or(spec.people.first()) else {
        return Ok("admin".to_owned());
    };
    // In a world where the alias stands for several accounts, the first of them.
    let mut people = world.sandbox.people()?.into_iter();
    let first = people.find(|person| person.alias.split('/').next() == Some(&*described.alias));
    Ok(first.map_or_else(|| described.alias.clone(), |person| person.alias))
}

/// The alias that stands for the person at the terminal.
pub(crate) fn own_alias(
    surroundings: &Surroundings,
    given: Option<&str>,
) -> Result<String, Failure> {
    match (given, &surroundings.world) {
        (Some(alias), _) => Ok(alias.to_owned()),
        (None, Some(world)) => first_administrator(world),
        (None, None) => Ok(DEFAULT_ALIAS.to_owned()),
    }
}

/// Who starts a run. The default credentials may be missing: then nobody is known to have started
/// it, and the run says by itself which credentials it needs.
pub(crate) fn requester(
    context: &Context,
    surroundings: &Surroundings,
    given: Option<&str>,
) -> Result<Option<Principal>, Failure> {
    let alias = own_alias(surroundings, given)?;
    match surroundings.identify(context, &alias) {
        Ok(principal) => Ok(Some(principal)),
        Err(error) if given.is_some() || surroundings.world.is_some() => {
            Err(Failure::of(identify_diagnostic(&alias, &error)))
        }
        Err(_) => Ok(None),
    }
}

/// Who decides, proven.
pub(crate) fn decider(
    context: &Context,
    surroundings: &Surroundings,
    given: Option<&str>,
) -> Result<Decider, Failure> {
    let alias = own_alias(surroundings, given)?;
    let principal = surroundings
        .identify(context, &alias)
        .map_err(|error| Failure::of(identify_diagnostic(&alias, &error)))?;
    // The default credentials are nobody's alias in a runbook.
    let alias = (given.is_some() || surroundings.world.is_some()).then_some(alias);
    Ok(Decider { alias, principal })
}

/// A name for whoever cancels or settles, as far as it is known.
pub(crate) fn known_name(
    context: &Context,
    surroundings: &Surroundings,
    given: Option<&str>,
) -> Result<Option<String>, Failure> {
    let who = requester(context, surroundings, given)?;
    Ok(who.map(|principal| principal.stable_arn().to_owned()))
}
