//! prints: POST /leaf text/plain
use http::{Request, header::CONTENT_TYPE};

fn main() {
    let request = Request::post("http://garden.example/leaf").header(CONTENT_TYPE, "text/plain").body(()).unwrap();
    println!("{} {} {}", request.method(), request.uri().path(), request.headers()[CONTENT_TYPE].to_str().unwrap());
}
