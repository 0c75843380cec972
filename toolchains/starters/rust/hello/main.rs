//! The smallest service: what is printed is the answer.

fn main() {
    println!("Content-Type: text/plain; charset=utf-8\n");
    println!("Hello from Rust.");
}
