use fastly::{ConfigStore, Error, Request, Response};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let leaves = ConfigStore::open("leaves");
    let long = leaves.get("long").map_or(0, |value| value.len());
    Ok(Response::from_body(format!("{:?} {} {long}", leaves.get("oak"), leaves.contains("ivy"))))
}
