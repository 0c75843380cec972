#![allow(deprecated)]
use fastly::{Dictionary, Error, Request, Response};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let leaves = Dictionary::open("leaves");
    let missing = Dictionary::try_open("stones").is_err();
    Ok(Response::from_body(format!("{:?} {:?} {missing}", leaves.get("oak"), leaves.get("ivy"))))
}
