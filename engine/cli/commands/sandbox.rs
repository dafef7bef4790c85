//! `piton sandbox`: the emulator itself: over HTTP, its call log, its state, its clock.

use clap::{Args, Subcommand};
use piton_core::time::Span;
use serde_json::json;

use crate::context::Context;
use crate::door::{self, Served};
use crate::failure::{Failure, Outcome, exit};
use crate::worlds::World;
use crate::{clocks, console};

/// The sandbox: an AWS for rehearsals
#[derive(Args)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Subcommand)]
enum SandboxCommand {
    /// Offer a world over loopback HTTP, to boto3, the AWS CLI or Terraform
    Serve {
        #[command(flatten)]
        world: WorldArg,
        /// Port; 0 takes a free one
        #[arg(long, default_value_t = 4599)]
        port: u16,
        /// How many times faster than real time the world's clock runs
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
    /// List the calls that a world got
    Log {
        #[command(flatten)]
        world: WorldArg,
    },
    /// Show the whole state of a world
    Dump {
        #[command(flatten)]
        world: WorldArg,
    },
    /// Make a world new, from what it once started with
    Reset {
        #[command(flatten)]
        world: WorldArg,
    },
    /// Let time pass in a world
    Advance {
        /// How much: 30s, 5m, 2h, 3d
        time: Span,
        #[command(flatten)]
        world: WorldArg,
    },
}

#[derive(Args)]
struct WorldArg {
    /// A stored world, or a world.toml for a new one [preset: the one used last, else the built-in one]
    #[arg(long)]
    world: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &SandboxArgs) -> Outcome {
    match &args.command {
        SandboxCommand::Serve { world, port, speed } => serve(context, world, *port, *speed),
        SandboxCommand::Log { world } => log(context, world),
        SandboxCommand::Dump { world } => {
            let world = open(context, world)?;
            console::document(&world.sandbox.dump()?);
            Ok(exit::DONE)
        }
        SandboxCommand::Reset { world } => {
            let world = used(context, world)?;
            world.sandbox.reset(clocks::machine_date())?;
            match context.json {
                true => console::document(&json!({"world": world.name})),
                false => console::out(&format!("world {} is new", world.name)),
            }
            Ok(exit::DONE)
        }
        SandboxCommand::Advance { time, world } => {
            let world = used(context, world)?;
            let now = clocks::timestamp(world.sandbox.advance(clocks::duration(*time))?);
            match context.json {
                true => console::document(&json!({"world": world.name, "now": now})),
                false => console::out(&format!("it is {now} in world {}", world.name)),
            }
            Ok(exit::DONE)
        }
    }
}

fn open(context: &Context, given: &WorldArg) -> Result<World, Failure> {
    let worlds = context.home()?.worlds();
    match &given.world {
        Some(name) => worlds.named(name),
        None => worlds.last_used(),
    }
}

/// A world that is now the one used last.
fn used(context: &Context, given: &WorldArg) -> Result<World, Failure> {
    let world = open(context, given)?;
    context.home()?.worlds().remember(&world)?;
    Ok(world)
}

fn log(context: &Context, given: &WorldArg) -> Outcome {
    let calls = open(context, given)?.sandbox.log()?;
    if context.json {
        console::document(&calls);
        return Ok(exit::DONE);
    }
    for call in &calls {
        let effect = if call.effect { "*" } else { " " };
        let error = call.error.as_ref().map_or_else(String::new, |error| format!(" {error}"));
        console::out(&format!(
            "{:>5} {} {effect} {} {}.{} {}{error}",
            call.seq, call.at, call.principal, call.service, call.operation, call.status
        ));
    }
    Ok(exit::DONE)
}

fn serve(context: &Context, given: &WorldArg, port: u16, speed: f64) -> Outcome {
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Failure::usage(format!("--speed {speed} is no speed; 1 is real time")));
    }
    let world = used(context, given)?;
    let people = world.sandbox.people()?;
    let name = world.name.clone();
    // The clock of a served world runs; nobody else has it open in this process.
    let sandbox = std::sync::Arc::into_inner(world.sandbox)
        .ok_or_else(|| Failure::usage(format!("world {name} is in use in this process")))?;
    let sandbox = sandbox.paced(speed, clocks::machine_date);
    let announce = |endpoint: &str| announce(context, &name, endpoint, &people);
    context.runtime().block_on(door::serve(Served { sandbox, port }, announce))?;
    Ok(exit::DONE)
}

fn announce(context: &Context, world: &str, endpoint: &str, people: &[piton_sandbox::Person]) {
    if context.json {
        console::json_line(&json!({"endpoint": endpoint, "people": people, "world": world}));
        return;
    }
    console::out(&format!("# world {world}; Ctrl-C ends it"));
    console::out(&format!("export AWS_ENDPOINT_URL={endpoint}"));
    for person in people {
        console::out(&format!("\n# {}: {}", person.alias, person.arn));
        // boto3 and version 1 of the AWS CLI know the second name alone.
        let region = &person.region;
        console::out(&format!("export AWS_REGION={region} AWS_DEFAULT_REGION={region}"));
        console::out(&format!("export AWS_ACCESS_KEY_ID={}", person.access_key_id));
        console::out(&format!("export AWS_SECRET_ACCESS_KEY={}", person.secret_access_key));
    }
}
