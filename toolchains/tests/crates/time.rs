//! prints: 2026-11-28 Saturday
use time::macros::{date, format_description};
use time::{Date, Duration};

fn main() {
    let format = format_description!("[year]-[month]-[day] [weekday]");
    let day: Date = date!(2026 - 11 - 25) + Duration::days(3);
    println!("{}", day.format(&format).unwrap());
}
