use std::io::Write as _;

use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    let path = request.get_path().to_owned();
    let (mut body, pending) = Request::post(format!("http://elsewhere.test{path}")).send_async_streaming("origin")?;
    for piece in 0..100 {
        write!(body, "{piece} ")?;
    }
    body.append(request.into_body());
    body.finish()?;
    Ok(pending.wait()?)
}
