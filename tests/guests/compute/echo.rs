use fastly::{Error, Request, Response};

#[fastly::main]
fn main(mut request: Request) -> Result<Response, Error> {
    Ok(Response::from_body(request.take_body()))
}
