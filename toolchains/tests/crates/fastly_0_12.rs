//! imports: fastly_http_resp
extern crate fastly_0_12 as fastly;
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    Ok(Response::from_body(request.get_path().to_owned()))
}
