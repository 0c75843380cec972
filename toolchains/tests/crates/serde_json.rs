//! prints: 3 leaves
use serde_json::{Value, json};

fn main() {
    let plant: Value = serde_json::from_str(r#"{"leaves":[1,2,3]}"#).unwrap();
    let told = json!({ "count": plant["leaves"].as_array().map_or(0, Vec::len) });
    println!("{} leaves", told["count"]);
}
