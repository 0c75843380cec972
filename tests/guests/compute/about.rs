use fastly::http::StatusCode;
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(request: Request) -> Result<Response, Error> {
    let name = request.get_query_parameter("name").unwrap_or("nobody").to_owned();
    let leaves: Vec<String> = request.get_header_all("x-leaf").map(|value| value.to_str().unwrap().to_owned()).collect();
    let names = request.get_header_names_str().len();
    let address = request.get_client_ip_addr().map(|address| address.is_loopback());
    let text = format!("{} {} {name} {} {} {address:?}", request.get_method_str(), request.get_path(), leaves.join("+"), names > 1);
    let mut response = Response::from_status(StatusCode::CREATED).with_header("x-tree", "oak").with_body(text);
    response.append_header("x-tree", "beech");
    Ok(response)
}
