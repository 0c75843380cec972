//! A row of the table: printed for people, and the same as JSON for the file.

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

/// The value below which this share of the values lies.
pub fn percentile(values: &[f64], rank: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * rank).round() as usize]
}
