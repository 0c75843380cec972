use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    match request.send("origin") {
        Ok(response) => Ok(response.with_header("x-through", "proxy")),
        Err(error) => Ok(Response::from_status(502).with_body(format!("no {}: {:?}", error.backend_name(), error.root_cause()))),
    }
}
