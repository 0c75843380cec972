//! prints: the fern has 3 leaves too many
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the {plant} has {leaves} leaves too many")]
    Leaves { plant: String, leaves: u32 },
}

fn main() {
    println!("{}", Trouble::Leaves { plant: "fern".to_owned(), leaves: 3 });
}
