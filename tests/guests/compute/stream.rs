use std::io::Write as _;

use fastly::{Request, Response};

fn main() {
    let request = Request::from_client();
    let pieces: u32 = request.get_query_parameter("pieces").and_then(|pieces| pieces.parse().ok()).unwrap_or(3);
    let mut body = Response::new().with_header("x-pieces", pieces.to_string()).stream_to_client();
    for piece in 0..pieces {
        writeln!(body, "piece {piece}").unwrap();
        body.flush().unwrap();
    }
    body.finish().unwrap();
}
