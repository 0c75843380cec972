use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    match request.send("origin") {
        Ok(_) => Ok(Response::from_body("there is an origin")),
        Err(error) => Ok(Response::from_status(502).with_body(format!("no {}: {:?}", error.backend_name(), error.root_cause()))),
    }
}
