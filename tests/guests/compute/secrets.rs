use fastly::{Error, Request, Response, SecretStore};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let roots = SecretStore::open("roots")?;
    let key = roots.get("key").expect("there is such a secret").plaintext();
    let missing = roots.get("stone").is_none() && SecretStore::open("stones").is_err();
    Ok(Response::from_body(format!("{} {missing}", String::from_utf8_lossy(&key))))
}
