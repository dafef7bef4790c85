//! Pictures: boxes in groups with lines between them, from an artifact that says which.
//!
//! An artifact whose name ends in `.picture.json` is drawn when it has the form of [`Sketch`]. The
//! first group stands on the left, the others below each other on the right. Within a group, a box
//! stands one column to the right of those that lead to it. Only numbers and labels; how they are
//! painted is the template's part.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Artifact;

/// What the name of such an artifact ends in.
const ENDING: &str = ".picture.json";

/// A picture of more boxes than this helps nobody.
const BOXES_MAX: usize = 500;

const BOX_WIDTH: f64 = 225.0;
const BOX_HEIGHT: f64 = 40.0;
/// Between columns, where lines and their labels go.
const ACROSS: f64 = 80.0;
/// Between boxes of one column.
const DOWN: f64 = 16.0;
/// From the edge of a group to its boxes.
const EDGE: f64 = 16.0;
/// Above the boxes of a group, for its label.
const HEAD: f64 = 34.0;
/// Between two groups.
const APART: f64 = 120.0;

/// What a runbook writes.
#[derive(Debug, Deserialize)]
struct Sketch {
    title: String,
    groups: Vec<SketchGroup>,
    boxes: Vec<SketchBox>,
    lines: Vec<SketchLine>,
}

#[derive(Debug, Deserialize)]
struct SketchGroup {
    id: String,
    label: String,
}

#[derive(Debug, Deserialize)]
struct SketchBox {
    id: String,
    group: String,
    label: String,
    #[serde(default)]
    detail: String,
}

#[derive(Debug, Deserialize)]
struct SketchLine {
    from: String,
    to: String,
    #[serde(default)]
    label: String,
}

/// A picture with its geometry, in the units of its `viewBox`.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// Name of the artifact.
    pub name: String,
    /// Title.
    pub title: String,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Groups, behind everything else.
    pub groups: Vec<Area>,
    /// Boxes.
    pub boxes: Vec<Area>,
    /// Lines.
    pub lines: Vec<Line>,
}

/// A rectangle with its words.
#[derive(Debug, Clone, Serialize)]
pub struct Area {
    /// First line.
    pub label: String,
    /// Second line.
    pub detail: String,
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A curve from the right edge of one box to the left edge of another.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Words beside it.
    pub label: String,
    /// Label of the box where it begins.
    pub from: String,
    /// Label of the box where it ends.
    pub to: String,
    /// Beginning.
    pub x1: f64,
    /// Beginning.
    pub y1: f64,
    /// End.
    pub x2: f64,
    /// End.
    pub y2: f64,
    /// Where the curve turns.
    pub bend: f64,
}

/// The pictures among the artifacts; one that is none, or too large, stays a text.
pub(super) fn draw(artifacts: &[Artifact]) -> Vec<Picture> {
    artifacts
        .iter()
        .filter(|artifact| artifact.name.ends_with(ENDING))
        .filter_map(|artifact| {
            let sketch: Sketch = serde_json::from_str(&artifact.text).ok()?;
            (sketch.boxes.len() <= BOXES_MAX).then(|| lay_out(artifact.name.clone(), sketch))
        })
        .collect()
}

fn lay_out(name: String, sketch: Sketch) -> Picture {
    let columns = columns(&sketch);
    let mut groups = Vec::new();
    let mut placed: HashMap<&str, Area> = HashMap::new();
    let mut right = Corner { x: 0.0, y: 0.0 };
    let (mut width, mut height): (f64, f64) = (0.0, 0.0);
    for (index, group) in sketch.groups.iter().enumerate() {
        let corner = if index == 0 { Corner { x: 0.0, y: 0.0 } } else { right };
        let area = place_group(&sketch, group, &columns, corner, &mut placed);
        width = width.max(area.x + area.width);
        height = height.max(area.y + area.height);
        right = match index {
            0 => Corner { x: area.width + APART, y: 0.0 },
            _ => Corner { x: right.x, y: area.y + area.height + DOWN },
        };
        groups.push(area);
    }
    let lines = sketch.lines.iter().filter_map(|line| connect(line, &placed)).collect();
    let boxes =
        sketch.boxes.iter().filter_map(|shown| placed.get(shown.id.as_str()).cloned()).collect();
    Picture { name, title: sketch.title, width, height, groups, boxes, lines }
}

#[derive(Clone, Copy)]
struct Corner {
    x: f64,
    y: f64,
}

/// The column of each box within its group. A circle of lines ends where it began.
fn columns(sketch: &Sketch) -> HashMap<&str, usize> {
    let group_of: HashMap<&str, &str> =
        sketch.boxes.iter().map(|shown| (shown.id.as_str(), shown.group.as_str())).collect();
    let inside: Vec<(&str, &str)> = sketch
        .lines
        .iter()
        .map(|line| (line.from.as_str(), line.to.as_str()))
        .filter(|(from, to)| group_of.contains_key(from) && group_of.get(from) == group_of.get(to))
        .collect();
    let mut columns: HashMap<&str, usize> = group_of.keys().map(|id| (*id, 0)).collect();
    for _ in 0..sketch.boxes.len() {
        let mut moved = false;
        for (from, to) in &inside {
            let wanted = columns[from] + 1;
            if columns[to] < wanted && wanted < sketch.boxes.len() {
                columns.insert(to, wanted);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    columns
}

/// Places the boxes of a group, each column centred, and answers the group's own area.
fn place_group<'a>(
    sketch: &'a Sketch,
    group: &SketchGroup,
    columns: &HashMap<&str, usize>,
    corner: Corner,
    placed: &mut HashMap<&'a str, Area>,
) -> Area {
    let mut by_column: BTreeMap<usize, Vec<&SketchBox>> = BTreeMap::new();
    for shown in sketch.boxes.iter().filter(|shown| shown.group == group.id) {
        by_column.entry(columns[shown.id.as_str()]).or_default().push(shown);
    }
    let tallest = by_column.values().map(Vec::len).max().unwrap_or(0);
    let inner = stack(tallest);
    let mut x = corner.x + EDGE;
    for boxes in by_column.values() {
        let mut y = corner.y + HEAD + (inner - stack(boxes.len())) / 2.0;
        for shown in boxes {
            let area = Area {
                label: shown.label.clone(),
                detail: shown.detail.clone(),
                x,
                y,
                width: BOX_WIDTH,
                height: BOX_HEIGHT,
            };
            placed.insert(&shown.id, area);
            y += BOX_HEIGHT + DOWN;
        }
        x += BOX_WIDTH + ACROSS;
    }
    let across = by_column.len().max(1) as f64;
    Area {
        label: group.label.clone(),
        detail: String::new(),
        x: corner.x,
        y: corner.y,
        width: across * BOX_WIDTH + (across - 1.0) * ACROSS + 2.0 * EDGE,
        height: HEAD + inner + EDGE,
    }
}

/// Height of boxes below each other.
fn stack(boxes: usize) -> f64 {
    let boxes = boxes as f64;
    (boxes * BOX_HEIGHT + (boxes - 1.0).max(0.0) * DOWN).max(0.0)
}

fn connect(line: &SketchLine, placed: &HashMap<&str, Area>) -> Option<Line> {
    let (from, to) = (placed.get(line.from.as_str())?, placed.get(line.to.as_str())?);
    let (x1, x2) = (from.x + from.width, to.x);
    Some(Line {
        label: line.label.clone(),
        from: from.label.clone(),
        to: to.label.clone(),
        x1,
        y1: from.y + from.height / 2.0,
        x2,
        y2: to.y + to.height / 2.0,
        bend: f64::midpoint(x1, x2),
    })
}

#[cfg(test)]
mod tests {
    use piton_core::time::Timestamp;
    use serde_json::json;

    use super::draw;
    use crate::report::Artifact;

    fn artifact(name: &str, text: String) -> Artifact {
        Artifact { name: name.to_owned(), text, at: Timestamp::from_millis(0) }
    }

    #[test]
    fn boxes_stand_to_the_right_of_what_leads_to_them_and_groups_beside_each_other() {
        let text = json!({
            "title": "Shares",
            "groups": [{ "id": "p", "label": "producer" }, { "id": "c", "label": "consumer" }],
            "boxes": [
                { "id": "domain", "group": "p", "label": "Domain" },
                { "id": "table", "group": "p", "label": "Table", "detail": "11 rows" },
                { "id": "view", "group": "c", "label": "View" },
            ],
            "lines": [
                { "from": "domain", "to": "table" },
                { "from": "table", "to": "view", "label": "read" },
                { "from": "table", "to": "nowhere" },
            ],
        });
        let drawn = draw(&[artifact("a.picture.json", text.to_string())]);
        let picture = &drawn[0];
        let x = |label: &str| {
            picture.boxes.iter().find(|area| area.label == label).expect("the box is drawn").x
        };
        assert!(x("Domain") < x("Table") && x("Table") < x("View"));
        assert!(picture.groups[1].x >= picture.groups[0].width);
        assert_eq!(picture.lines.len(), 2);
        assert_eq!(
            (picture.lines[1].from.as_str(), picture.lines[1].to.as_str()),
            ("Table", "View")
        );
        assert!(picture.width >= x("View") + 100.0);
    }

    #[test]
    fn what_is_no_picture_stays_a_text() {
        let circle = json!({
            "title": "t", "groups": [{ "id": "g", "label": "g" }],
            "boxes": [{ "id": "a", "group": "g", "label": "a" }, { "id": "b", "group": "g", "label": "b" }],
            "lines": [{ "from": "a", "to": "b" }, { "from": "b", "to": "a" }],
        });
        let artifacts = [
            artifact("a.picture.json", "no JSON".to_owned()),
            artifact("b.json", circle.to_string()),
            artifact("c.picture.json", circle.to_string()),
        ];
        let drawn = draw(&artifacts);
        assert_eq!(drawn.len(), 1, "the circle alone is one, and it ends");
        assert_eq!(drawn[0].boxes.len(), 2);
    }
}
