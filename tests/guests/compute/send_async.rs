use fastly::{Error, Request, Response};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let one = Request::get("http://origin.test/1").send_async("origin").is_err();
    let other = Request::get("http://origin.test/2").send_async_streaming("origin").is_err();
    Ok(Response::from_body(format!("{one} {other}")))
}
