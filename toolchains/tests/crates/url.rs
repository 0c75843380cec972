//! prints: xn--bcher-kva.example kind=fern
use url::Url;

fn main() {
    let url = Url::parse("http://bücher.example/a/../list?kind=fern").unwrap();
    println!("{} {}", url.host_str().unwrap(), url.query().unwrap());
}
