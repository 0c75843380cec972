//! prints: <p>a <em>leaf</em></p>
use pulldown_cmark::{Parser, html};

fn main() {
    let mut page = String::new();
    html::push_html(&mut page, Parser::new("a *leaf*"));
    print!("{page}");
}
