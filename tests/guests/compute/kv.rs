use fastly::kv_store::KVStoreError;
use fastly::{Error, KVStore, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    let nuts = KVStore::open("nuts")?.expect("there is such a store");
    let before = nuts.lookup("a")?.take_body().into_string();
    nuts.insert("b", request.get_path())?;
    let after = nuts.lookup("b")?.take_body().into_string();
    nuts.delete("a")?;
    let gone = matches!(nuts.lookup("a"), Err(KVStoreError::ItemNotFound));
    let keys = nuts.list()?.into_keys();
    let absent = matches!(KVStore::open("stones"), Ok(None) | Err(KVStoreError::StoreNotFound(_)));
    Ok(Response::from_body(format!("{before} {after} {gone} {keys:?} {absent}")))
}
