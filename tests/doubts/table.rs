//! The table of counts in the guide, written from the cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::cases::{Case, End};

const BEGIN: &str = "<!-- counts of the doubts: begin -->\n";
const END: &str = "<!-- counts of the doubts: end -->";

/// Compares the guide's table with the cases; `PITON_BLESS=1` writes it.
pub(crate) fn check(cases: &[Case]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/doubts.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the guide says where the table begins");
    let (_, after) = rest.split_once(END).expect("the guide says where the table ends");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table(cases));
    if std::env::var_os("PITON_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(text == wanted || std::env::var_os("PITON_BLESS").is_some(), "PITON_BLESS=1 writes it");
}

fn table(cases: &[Case]) -> String {
    let mut rows: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for case in cases {
        for name in [case.service, "~"] {
            let row = rows.entry(name).or_default();
            row[place(case.soon)] += 1;
            row[3 + place(case.late)] += 1;
        }
    }
    let mut text =
        "| service | repeated | adopted | stuck | days later: repeated | adopted | stuck |\n\
                    |---|---|---|---|---|---|---|\n"
            .to_owned();
    for (service, counts) in rows {
        let name = if service == "~" { "all" } else { service };
        let counts = counts.map(|count| count.to_string()).join(" | ");
        writeln!(text, "| {name} | {counts} |").unwrap();
    }
    text
}

fn place(end: End) -> usize {
    match end {
        End::Repeated => 0,
        End::Adopted => 1,
        End::Stuck => 2,
    }
}
