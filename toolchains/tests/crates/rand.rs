//! prints: true
use rand::prelude::*;

fn main() {
    let mut rng = rand::rng();
    let numbers: Vec<u64> = (0..4).map(|_| rng.random()).collect();
    let die = rng.random_range(1..=6);
    println!("{}", numbers[0] != numbers[1] && (1..=6).contains(&die) && numbers.choose(&mut rng).is_some());
}
