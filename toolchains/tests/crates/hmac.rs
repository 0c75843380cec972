//! prints: f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn main() {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    mac.update(b"The quick brown fox jumps over the lazy dog");
    let bytes = mac.finalize().into_bytes();
    println!("{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}
