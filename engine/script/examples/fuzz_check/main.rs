//! Throws broken scripts at the checker: packaged scripts changed at random in bytes, tokens and trees,
//! and scripts made at random. Every input follows from a seed alone.
//!
//! ```text
//! cargo build --release -p piton-script --example fuzz_check
//! target/release/examples/fuzz_check --minutes 10 [--seed N]     many inputs from seed N on
//! target/release/examples/fuzz_check --seed N --count 1 --show   one again, with its text
//! ```
//!
//! A panic and an input that takes longer than two seconds are told with their seeds; an input that
//! takes a minute, or one that ends the process, is told by its seed as well. How inputs are made is
//! in `mutate`, `generate` and `grow`.

#![allow(clippy::print_stdout, reason = "what it found is for whoever runs it")]

mod chance;
mod generate;
mod grow;
mod mutate;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::ProgramFile;
use piton_script::{check, program};

use chance::Chance;
use mutate::Corpus;

/// An input that takes longer is told.
const SLOW: Duration = Duration::from_secs(2);
/// An input that takes longer ends the process.
const HANG: Duration = Duration::from_secs(60);

/// How inputs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Bytes,
    Tokens,
    Trees,
    Files,
    Generated,
    Grown,
}

/// How often each is taken.
const LEVELS: [(Level, usize); 6] = [
    (Level::Bytes, 2),
    (Level::Tokens, 4),
    (Level::Trees, 4),
    (Level::Files, 1),
    (Level::Generated, 9),
    (Level::Grown, 4),
];

/// What the command line says.
struct Options {
    seed: u64,
    count: u64,
    time: Duration,
    show: bool,
}

/// What happened at one level.
#[derive(Default)]
struct Tally {
    inputs: u64,
    /// Inputs that load, so that the whole checker sees them.
    loaded: u64,
    panics: u64,
    slow: u64,
    slowest: Duration,
    slowest_seed: u64,
    total: Duration,
}

fn main() {
    let options = options();
    let corpus = Corpus::new(programs());
    let present = watch_for_hangs();
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    let mut tallies: BTreeMap<Level, Tally> = BTreeMap::new();
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    for seed in options.seed..options.seed.saturating_add(options.count) {
        if start.elapsed() >= options.time {
            break;
        }
        let (level, files) = input(&corpus, seed);
        if options.show {
            files.iter().for_each(|file| println!("--- {}\n{}", file.path, file.text));
        }
        present.store(seed, Ordering::Relaxed);
        let tally = tallies.entry(level).or_default();
        one(seed, files, tally, &mut codes, options.show);
    }
    summary(&tallies, &codes, start.elapsed());
    let is_clean = tallies.values().all(|tally| tally.panics == 0 && tally.slow == 0);
    process::exit(i32::from(!is_clean));
}

fn options() -> Options {
    let mut options =
        Options { seed: 1, count: u64::MAX, time: Duration::from_secs(600), show: false };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse::<u64>().ok());
        let known = match word.as_str() {
            "--seed" => number().map(|seed| options.seed = seed),
            "--count" => number().map(|count| options.count = count),
            "--minutes" => number().map(|minutes| options.time = Duration::from_secs(60 * minutes)),
            "--show" => {
                options.show = true;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            println!("fuzz_check [--seed N] [--count N] [--minutes N] [--show]");
            process::exit(2);
        }
    }
    options
}

/// Every packaged runbook with its modules, and one that imports all standard modules.
fn programs() -> Vec<Vec<ProgramFile>> {
    let mut programs: Vec<Vec<ProgramFile>> = program::packaged()
        .into_iter()
        .filter_map(|name| piton_script::Program::packaged(name).ok())
        .map(|program| program.files().to_vec())
        .collect();
    let mut text = "runbook(#{ title: \"All\", accounts: #{ admin: #{} } });\n".to_owned();
    let mut files = Vec::new();
    for path in program::standard_modules() {
        let name = path.trim_start_matches("std/");
        text.push_str(&format!("import \"{path}\" as {name};\n"));
        let module = program::standard_module(path).unwrap_or_default().to_owned();
        files.push(ProgramFile { path: path.to_owned(), text: module });
    }
    files.insert(0, ProgramFile { path: "all.rhai".to_owned(), text });
    programs.push(files);
    programs
}

/// The input of a seed.
fn input(corpus: &Corpus, seed: u64) -> (Level, Vec<ProgramFile>) {
    let mut chance = Chance::new(seed);
    let (level, _) = LEVELS[chance.weighted(&LEVELS.map(|(_, weight)| weight))];
    let files = match level {
        Level::Bytes => corpus.changed(&mut chance, mutate::bytes),
        Level::Tokens => corpus.changed(&mut chance, mutate::tokens),
        Level::Trees => corpus.changed(&mut chance, mutate::trees),
        Level::Files => corpus.rearranged(&mut chance),
        Level::Generated => generate::program(&mut chance),
        Level::Grown => grow::program(&mut chance),
    };
    (level, files)
}

fn one(
    seed: u64,
    files: Vec<ProgramFile>,
    tally: &mut Tally,
    codes: &mut BTreeMap<String, u64>,
    show: bool,
) {
    let start = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| check::check_files("fuzz", files)));
    let took = start.elapsed();
    tally.inputs += 1;
    tally.total += took;
    if took > tally.slowest {
        (tally.slowest, tally.slowest_seed) = (took, seed);
    }
    if took > SLOW {
        tally.slow += 1;
        println!("slow: seed {seed} took {:.1} s", took.as_secs_f64());
    }
    match answer {
        Ok(problems) => {
            tally.loaded += u64::from(problems.iter().all(|problem| !is_of_parser(problem)));
            for problem in &problems {
                *codes.entry(problem.code.to_string()).or_default() += 1;
                if show {
                    println!("{} {:?} {}", problem.code, problem.severity, problem.message);
                }
            }
        }
        Err(panic) => {
            tally.panics += 1;
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            println!("panic: seed {seed}: {}", text.unwrap_or("no message"));
        }
    }
}

/// A script that does not parse is not looked at further.
fn is_of_parser(problem: &Diagnostic) -> bool {
    problem.code == Code::Syntax || problem.message.starts_with("Undefined variable")
}

/// Ends the process when one input takes too long. The seed that is worked on goes into what is
/// returned.
fn watch_for_hangs() -> &'static AtomicU64 {
    static PRESENT: AtomicU64 = AtomicU64::new(0);
    thread::spawn(|| {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            thread::sleep(Duration::from_secs(1));
            let seed = PRESENT.load(Ordering::Relaxed);
            if seed != last {
                (last, since) = (seed, Instant::now());
            } else if since.elapsed() > HANG {
                println!("hang: seed {seed} took more than {} s", HANG.as_secs());
                process::exit(1);
            }
        }
    });
    &PRESENT
}

fn summary(tallies: &BTreeMap<Level, Tally>, codes: &BTreeMap<String, u64>, took: Duration) {
    println!("level      inputs  loaded  panics  over 2 s  mean ms  slowest ms (seed)");
    for (level, tally) in tallies {
        let mean = tally.total.as_secs_f64() * 1000.0 / tally.inputs.max(1) as f64;
        println!(
            "{:9} {:7} {:7} {:7} {:9} {mean:8.1} {:8.0} ({})",
            format!("{level:?}"),
            tally.inputs,
            tally.loaded,
            tally.panics,
            tally.slow,
            tally.slowest.as_secs_f64() * 1000.0,
            tally.slowest_seed,
        );
    }
    let inputs: u64 = tallies.values().map(|tally| tally.inputs).sum();
    println!("{inputs} inputs in {:.0} s", took.as_secs_f64());
    let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    println!("diagnostics: {}", codes.join(", "));
}
