//! The geometry of a report's chart: steps, waits and gates as bars, to scale.
//!
//! Only numbers and labels; how they are painted is the template's part.

use piton_core::time::{Span, Timestamp};
use serde::Serialize;

use super::{Report, fold::lasted};

/// Width of the chart's plane, in the units of its `viewBox`.
const WIDTH: f64 = 1000.0;
/// Height of one row.
const ROW: f64 = 22.0;
/// Bars narrower than this could not be seen.
const NARROWEST: f64 = 2.0;
/// A chart of more rows than this helps nobody; the tables have them all.
const ROWS_MAX: usize = 300;

/// The chart of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// Width of the plane that bars are on.
    pub width: f64,
    /// Height of all rows.
    pub height: f64,
    /// The bars, one row each, in order of their beginning.
    pub bars: Vec<Bar>,
    /// Marks of the time axis.
    pub ticks: Vec<Tick>,
    /// How many bars did not fit.
    pub left_out: usize,
}

/// One bar.
#[derive(Debug, Clone, Serialize)]
pub struct Bar {
    /// What it stands for: `step`, `wait`, `gate` or `suspended`.
    pub kind: &'static str,
    /// Name.
    pub label: String,
    /// How many steps are around it.
    pub depth: usize,
    /// It ended as wished; `null` while it is open.
    pub ok: Option<bool>,
    /// Left edge.
    pub x: f64,
    /// Top of its row.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// How long it lasted.
    pub took: Span,
}

/// One mark of the time axis.
#[derive(Debug, Clone, Serialize)]
pub struct Tick {
    /// Where.
    pub x: f64,
    /// Time since the start.
    pub after: Span,
}

struct Row {
    kind: &'static str,
    label: String,
    depth: usize,
    ok: Option<bool>,
    from: Timestamp,
    to: Option<Timestamp>,
}

/// The chart of a report whose other parts are complete.
pub(super) fn draw(report: &Report) -> Timeline {
    let last = report.updated_at;
    let total = last.since(report.started_at).millis().max(1);
    let scale = |at: Timestamp| {
        let passed = at.since(report.started_at).millis().min(total);
        round(passed as f64 / total as f64 * WIDTH)
    };
    let mut rows = rows(report);
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    let bars: Vec<Bar> = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            let x = scale(row.from);
            let width = (scale(row.to.unwrap_or(last)) - x).max(NARROWEST);
            Bar {
                kind: row.kind,
                label: row.label,
                depth: row.depth,
                ok: row.ok,
                x: x.min(WIDTH - NARROWEST),
                y: index as f64 * ROW,
                width: round(width),
                took: lasted(row.from, row.to, last),
            }
        })
        .collect();
    let ticks = (0..=4_u32)
        .map(|quarter| Tick {
            x: WIDTH * f64::from(quarter) / 4.0,
            after: Span::from_millis(total * u64::from(quarter) / 4),
        })
        .collect();
    let height = bars.len() as f64 * ROW;
    Timeline { width: WIDTH, height, bars, ticks, left_out }
}

fn rows(report: &Report) -> Vec<Row> {
    let depth_of = |key: &str| {
        let path = key.rsplit_once('#').map_or("", |(path, _)| path);
        if path.is_empty() { 0 } else { path.matches('/').count() + 1 }
    };
    let steps = report.steps.iter().map(|step| Row {
        kind: "step",
        label: step.name.clone(),
        depth: step.depth,
        ok: step.ended_at.map(|_| step.status == "succeeded"),
        from: step.started_at,
        to: step.ended_at,
    });
    let waits = report.waits.iter().map(|wait| Row {
        kind: "wait",
        label: wait.name.clone(),
        depth: depth_of(&wait.key),
        ok: wait.ok,
        from: wait.started_at,
        to: wait.ended_at,
    });
    let gates = report.gates.iter().map(|gate| Row {
        kind: "gate",
        label: gate.name.clone(),
        depth: depth_of(&gate.key),
        ok: gate.closed.map(|closed| closed == piton_core::gate::Closed::Approved),
        from: gate.started_at,
        to: gate.ended_at,
    });
    let mut rows: Vec<Row> = steps.chain(waits).chain(gates).collect();
    // Equal moments keep their order: a step stays above what it contains.
    rows.sort_by_key(|row| row.from);
    rows
}

/// Two decimals are finer than a pixel, and keep the text of a report the same everywhere.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
