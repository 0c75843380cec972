//! prints: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
use sha2::{Digest, Sha256};

fn main() {
    println!("{}", Sha256::digest(b"abc").iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}
