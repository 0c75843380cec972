//! prints: fern, moss, reed
use itertools::Itertools;

fn main() {
    println!("{}", ["reed", "fern", "moss", "fern"].iter().unique().sorted().join(", "));
}
