//! The `piton` binary.
//!
//! Parses the command line, wires the ports to their adapters, runs one command and exits with its
//! documented code. Everything durable is the runner's and the journal's; everything that a person
//! sees in a terminal is here.
//!
//! # Layout
//! - `args`: the command line; `commands`: one file a command; `app`: from arguments to exit code.
//! - `home`, `worlds`, `wiring`, `clocks`: where state is, and the adapters of core's ports.
//! - `runbook`: a program and its parameters from the command line. `driving`: what `run` and
//!   `resume` share. `identity`, `gates`, `person`: who decides, and how they are asked.
//! - `stages`: what rehearsals are played on.
//! - `diagnosis`: whether a run would go on now; `verdicts`: what dry replays found, kept.
//! - `progress`: a run's events for people and programs. `views`: the JSON forms of section 7.
//! - `render`, `console`, `failure`: diagnostics, terminals, exit codes. `door`: the sandbox over HTTP.

mod adoption;
mod app;
mod args;
mod clocks;
mod commands;
mod console;
mod context;
mod diagnosis;
mod door;
mod doubts;
mod driving;
mod failure;
mod files;
mod gates;
mod home;
mod identity;
mod person;
mod progress;
mod render;
mod runbook;
mod stages;
mod verdicts;
mod views;
mod wiring;
mod worlds;

fn main() -> std::process::ExitCode {
    app::main()
}
