//! prints: 2026 11
use regex::Regex;

fn main() {
    let date = Regex::new(r"(?<year>\d{4})-(?<month>\d\d)").unwrap();
    let found = date.captures("sown on 2026-11-25").unwrap();
    println!("{} {}", &found["year"], &found["month"]);
}
