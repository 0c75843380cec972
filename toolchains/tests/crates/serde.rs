//! prints: {"name":"fern","height":{"centimetres":40}}
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Height {
    Centimetres(u32),
}

#[derive(Serialize, Deserialize)]
struct Plant {
    name: String,
    height: Height,
}

fn main() {
    let plant: Plant = serde_json::from_str(r#"{"height":{"centimetres":40},"name":"fern"}"#).unwrap();
    println!("{}", serde_json::to_string(&plant).unwrap());
}
