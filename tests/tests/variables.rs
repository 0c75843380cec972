//! Variables and secrets of a deployment: what its program finds in its environment, and who sees what of them.

use serde_json::{Value, json};
use vivarium_tests::server::{Server, eventually};

const C: &str = r#"#include <stdio.h>
#include <stdlib.h>
int main(void) {
    const char *colour = getenv("COLOUR"), *key = getenv("KEY"), *path = getenv("PATH_INFO");
    printf("Content-Type: text/plain\n\n%s %s %s", colour ? colour : "-", key ? key : "-", path);
}
"#;

fn deploy(server: &Server, body: Value, token: Option<&str>) -> Value {
    let mut whole = json!({ "language": "c", "files": { "main.c": C } });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let answer = server.call("POST", "/api/v1/deployments", Some(&whole), token);
    assert!(answer.status == 201 || answer.status == 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_program_has_its_variables_and_secrets_and_nobody_else_has_the_secrets() {
    let server = Server::start();
    let made = deploy(&server, json!({ "env": { "COLOUR": "green" }, "secrets": { "KEY": "hush-4711" } }), None);
    let (slug, token) = (made["slug"].as_str().unwrap().to_owned(), made["owner_token"].as_str().unwrap().to_owned());
    assert_eq!(server.visit(&made, "/x").text(), "green hush-4711 /x");
    assert_eq!((&made["env"], &made["secrets"]), (&json!({ "COLOUR": "green" }), &json!(["KEY"])));

    let path = format!("/api/v1/deployments/{slug}");
    let changed = server.call("PATCH", &path, Some(&json!({ "env": { "COLOUR": "red" }, "secrets": { "KEY": null } })), Some(&token));
    assert_eq!((changed.status, &changed.json()["env"], &changed.json()["secrets"]), (200, &json!({ "COLOUR": "red" }), &json!([])));
    eventually("the change", || (server.visit(&made, "/").text() == "red - /").then_some(()));
    let secret = server.call("PATCH", &path, Some(&json!({ "secrets": { "KEY": "hush-4712" } })), Some(&token));
    assert_eq!(secret.json()["secrets"], json!(["KEY"]));

    for refused in [json!({ "env": { "HTTP_PROXY": "x" } }), json!({ "env": { "A=B": "x" } }), json!({})] {
        assert_eq!(server.call("PATCH", &path, Some(&refused), Some(&token)).status, 400, "{refused}");
    }
    assert_eq!(server.call("PATCH", &path, Some(&json!({ "env": { "COLOUR": "blue" } })), None).status, 401);
    let strangers = server.get(&path).json();
    assert_eq!((&strangers["env"], &strangers["secrets"]), (&Value::Null, &Value::Null));

    let server = Server::start_in(server.kill());
    let kept = server.call("GET", &path, None, Some(&token)).json();
    assert_eq!((&kept["env"], &kept["secrets"]), (&json!({ "COLOUR": "red" }), &json!(["KEY"])));
    assert_eq!(server.visit(&kept, "/").text(), "red hush-4712 /");
    let next = deploy(&server, json!({ "slug": slug, "env": { "COLOUR": "white" } }), Some(&token));
    assert_eq!(server.visit(&next, "/").text(), "white hush-4712 /", "the next revision has what the deployment has");
    for shown in [path.clone(), format!("{path}/logs"), format!("{path}/requests"), "/api/v1/deployments".to_owned()] {
        let text = server.call("GET", &shown, None, Some(&token)).text();
        assert!(!text.contains("hush-47"), "{shown}: {text}");
    }
}
