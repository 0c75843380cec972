use fastly::http::StatusCode;
use fastly::{Request, Response};

fn main() {
    let status = if Request::from_client().get_path() == "/304" { StatusCode::NOT_MODIFIED } else { StatusCode::NO_CONTENT };
    let answer = Response::from_status(status).stream_to_client();
    // The answer has left by now, and there is still something to do.
    std::thread::sleep(std::time::Duration::from_millis(50));
    answer.finish().unwrap();
}
