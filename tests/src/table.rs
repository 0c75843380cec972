//! The rows of `make bench`: printed for people, and the same as JSON in a file.

use std::path::Path;

use serde_json::{Value, json};

/// One figure, as the median and the tail of what was measured.
pub struct Row<'r> {
    pub group: &'r str,
    pub name: &'r str,
    pub unit: &'r str,
    pub values: Vec<f64>,
    /// The most that the median may be.
    pub goal: Option<f64>,
    /// More about it, for people.
    pub said: &'r str,
}

impl Row<'_> {
    pub fn print(&self) -> Value {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|rank| percentile(&self.values, rank));
        let verdict = match self.goal {
            Some(goal) if p50 > goal => format!("goal {goal}, missed"),
            Some(goal) => format!("goal {goal}"),
            None => String::new(),
        };
        let digits = if p50 < 10.0 { 3 } else { 1 };
        let (name, unit) = (self.name, self.unit);
        println!("{name:<52} p50 {p50:9.digits$} {unit}  p95 {p95:9.digits$}  p99 {p99:9.digits$}  {verdict:<17} {}", self.said);
        json!({
            "group": self.group, "name": name, "unit": unit, "ours": p50, "peer": null, "peer_name": null, "ratio": null, "goal": self.goal, "p99": p99,
        })
    }
}

/// One figure beside a peer's, measured in the same run.
pub struct Beside<'r> {
    pub group: &'r str,
    pub name: &'r str,
    /// Of a time or a size: less is better.
    pub unit: &'r str,
    pub ours: Vec<f64>,
    pub peer: Vec<f64>,
    pub peer_name: &'r str,
    /// How many times ours the peer's median must be at least.
    pub goal: Option<f64>,
}

impl Beside<'_> {
    pub fn print(&self) -> Value {
        let [p50, p99, peer, peer_p99] =
            [(&self.ours, 0.5), (&self.ours, 0.99), (&self.peer, 0.5), (&self.peer, 0.99)].map(|(values, rank)| percentile(values, rank));
        let ratio = peer / p50;
        let verdict = match self.goal {
            Some(goal) if ratio < goal => format!("goal {goal}, missed"),
            Some(goal) => format!("goal {goal}"),
            None => String::new(),
        };
        let digits = if p50.min(peer) < 10.0 { 3 } else { 1 };
        let (name, unit, peer_name) = (self.name, self.unit, self.peer_name);
        println!(
            "{name:<52} p50 {p50:9.digits$} {unit}  p99 {p99:9.digits$}  {peer_name} p50 {peer:9.digits$}  p99 {peer_p99:9.digits$}  ratio {ratio:6.2}  {verdict}"
        );
        json!({
            "group": self.group, "name": name, "unit": unit, "ours": p50, "peer": peer, "peer_name": peer_name, "ratio": ratio, "goal": self.goal,
            "p99": p99,
        })
    }
}

/// Writes rows to `target/bench.json`, in place of those of the same name that an earlier run left there.
pub fn save(rows: Vec<Value>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").join("target/bench.json");
    let kept = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Vec<Value>>(&text).ok()).unwrap_or_default();
    let is_new = |old: &Value| !rows.iter().any(|row| (&row["group"], &row["name"]) == (&old["group"], &old["name"]));
    let all: Vec<Value> = kept.into_iter().filter(is_new).chain(rows.iter().cloned()).collect();
    std::fs::write(&path, serde_json::to_string_pretty(&all).expect("rows are JSON")).expect("target/ can be written");
}

/// The value below which this share of the values lies.
pub fn percentile(values: &[f64], rank: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * rank).round() as usize]
}
