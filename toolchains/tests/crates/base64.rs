//! prints: bGVhZg== leaf
use base64::prelude::*;

fn main() {
    let encoded = BASE64_STANDARD.encode("leaf");
    let decoded = BASE64_STANDARD.decode(&encoded).unwrap();
    println!("{encoded} {}", String::from_utf8(decoded).unwrap());
}
