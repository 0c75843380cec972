use fastly::{Body, Error, Request, Response};

#[fastly::main]
fn main(mut request: Request) -> Result<Response, Error> {
    let mut body = Body::from("before ");
    body.append(request.take_body());
    body.append(Body::from(" after"));
    Ok(Response::from_body(body))
}
