//! imports: fastly_http_resp
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    Ok(Response::from_body(request.get_path().to_owned()))
}
