use std::io::Write as _;

use fastly::log::Endpoint;
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let mut jay = Endpoint::from_name("jay");
    write!(jay, "seen")?;
    println!("printed");
    eprintln!("noted");
    Ok(Response::from_body(format!("{}", Endpoint::try_from_name("stdout").is_err())))
}
