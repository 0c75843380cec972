//! prints: 7
use hashbrown::HashMap;

fn main() {
    let leaves: HashMap<&str, u32> = [("fern", 3), ("moss", 4)].into_iter().collect();
    println!("{}", leaves.values().sum::<u32>());
}
