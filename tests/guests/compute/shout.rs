use fastly::http::{Method, StatusCode};
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(mut request: Request) -> Result<Response, Error> {
    if request.get_method() != Method::POST {
        return Ok(Response::from_status(StatusCode::METHOD_NOT_ALLOWED).with_header("allow", "POST"));
    }
    let text = request.take_body_str().to_uppercase();
    Ok(Response::from_body(text).with_content_type(fastly::mime::TEXT_PLAIN_UTF_8))
}
