//! prints: reading the height: invalid digit found in string
use anyhow::{Context, Result};

fn height(text: &str) -> Result<u32> {
    text.parse().context("reading the height")
}

fn main() {
    println!("{:#}", height("tall").unwrap_err());
}
