//! What every caller meets: refusals, headers, what there is to know, connections that are held, the page without JavaScript.

use super::*;

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_sentence() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let json = "Content-Type: application/json\r\n";
    let large = format!("{{\"language\":\"{}\"}}", "x".repeat(Limits::default().api_body_bytes_max));
    let source = program(&"x".repeat(300_000)).to_string();
    let many: Value = (0..40).map(|number| (format!("f{number}.c"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let many = json!({ "language": "c", "files": many }).to_string();
    for (status, method, path, headers, body, said) in [
        (404, "GET", "/nowhere", "", "", "/nowhere"),
        (404, "GET", "/api/v1/builds/abc", "", "", "abc"),
        (404, "GET", "/api/v1/deployments/abc", "", "", "ever deployed"),
        (404, "GET", "/assets/nothing.js", "", "", "no such file"),
        (405, "DELETE", "/api/v1/limits", "", "", "DELETE"),
        (401, "GET", "/api/v1/deployments", "", "", "Authorization"),
        (400, "GET", "/api/v1/events", "", "", "topics"),
        (400, "GET", "/api/v1/events?topics=fern", "", "", "neither"),
        (400, "GET", "/api/v1/events?topics=build:a&after=x", "", "", ""),
        (415, "POST", "/api/v1/builds", "", "{}", "application/json"),
        (400, "POST", "/api/v1/builds", json, "{", ""),
        (400, "POST", "/api/v1/builds", json, "[]", ""),
        (400, "POST", "/api/v1/builds", json, "{}", "language"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"cobol","files":{}}"#, "cobol"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"c","files":{"main.c":"","../x.c":""}}"#, "../x.c"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"c","files":{"x.c":""}}"#, "main.c"),
        (400, "POST", "/api/v1/builds", json, &many, "files_max"),
        (413, "POST", "/api/v1/builds", json, &source, "source_bytes_max"),
        (413, "POST", "/api/v1/builds", json, &large, "api_body_bytes_max"),
        (400, "POST", "/api/v1/builds?wait=soon", json, &program("x").to_string(), ""),
        (404, "POST", "/api/v1/deployments", json, r#"{"build_id":"abc"}"#, "abc"),
        (404, "POST", "/api/v1/deployments", json, r#"{"build_id":"abc","slug":"fern"}"#, "ever deployed"),
        (403, "POST", "/api/v1/builds", "Origin: http://evil.com\r\n", "{}", "another site"),
    ] {
        let answer = server.ask(method, path, headers, body).await;
        let what = format!("{method} {path} {}: {} {}", &body[..body.len().min(60)], answer.head, answer.body);
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{what}");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{what}");
        assert!(problem["title"].is_string() && problem["detail"].as_str().unwrap().contains(said), "{what}");
        let named = problem["limit"].as_str().unwrap_or("");
        assert_eq!(named, if said.ends_with("_max") { said } else { "" }, "{what}");
    }
    let misdirected = server.send("GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n").await;
    assert_eq!((misdirected.status, misdirected.json()["status"].as_u64()), (421, Some(421)));
    server.end().await;
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_others_out() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    for path in ["/", "/healthz", "/nowhere", "/api/v1/limits"] {
        let head = server.get(path).await.head;
        for header in [
            "content-security-policy: default-src '",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path} lacks {header}: {head}");
        }
        assert!(!head.contains("access-control-allow-origin"));
    }
    let page = server.get("/").await;
    assert!(page.head.contains("frame-src http://*.localhost:7879 http://127.0.0.1:7879"), "{}", page.head);
    server.end().await;
}

#[tokio::test]
async fn a_half_sent_header_is_closed_and_the_server_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { header_read_ms: 100, ..Limits::default() }).await;
    // Ends only because the server closes it: there is no time-out of ours.
    let closed = server.send("GET / HTTP/1.1\r\nHost: 127").await;
    assert!(matches!(closed.status, 0 | 408), "{}", closed.head);
    assert_eq!(server.get("/healthz").await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn what_there_is_to_know_is_told() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let languages = server.get("/api/v1/languages").await.json();
    assert_eq!(languages["languages"][0]["main_file"], "main.c");
    assert_eq!(languages["languages"][1]["reason"], "it is not here: install it");
    let starters = server.get("/api/v1/starters").await.json();
    assert!(starters["starters"][0]["files"].is_object());
    assert_eq!(server.get("/api/v1/limits").await.json()["cpu_ms"], 500);
    let health = server.get("/healthz").await.json();
    assert_eq!((&health["status"], &health["jail"], &health["gateways"][0]["ready"]), (&json!("ok"), &json!("none"), &json!(true)));
    server.end().await;
}

#[tokio::test]
async fn who_never_reads_does_not_keep_a_connection() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { workshop_connections_max: 1, idle_ms: 300, source_bytes_max: 1 << 20, ..Limits::default() };
    let server = start(place.path(), limits).await;
    let build = server.post("/api/v1/builds?wait=20", None, program(&"fern".repeat(50_000))).await.json();
    let path = format!("/api/v1/builds/{}/artifacts/wasm", build["id"].as_str().unwrap());
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    // Together more than the kernel keeps for both ends.
    greedy.write_all(request.repeat(300).as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(60), server.get("/healthz")).await;
    assert_eq!(answer.expect("there is room for one connection again").status, 200);
    drop(greedy);
    server.end().await;
}

#[tokio::test]
async fn a_form_builds_and_deploys_without_javascript() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let page = server.ask("POST", "/", form, "language=c&code=fern%0D%0A").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let told = server.stand.told();
    let slug = told[0].split(' ').nth(1).unwrap();
    assert!(page.body.contains(&format!("http://{slug}.localhost:7879/")));
    let failed = server.ask("POST", "/", form, &format!("language=c&code=error&slug={slug}")).await;
    assert_eq!(failed.status, 422);
    assert!(failed.body.contains("main.c:3") && failed.body.contains("a thing is wrong") && failed.body.contains(slug));
    let foreign = server.ask("POST", "/", form, &format!("language=c&code=moss&slug={slug}&owner_token=wrong")).await;
    assert_eq!(foreign.status, 403);
    let ran = server.ask("POST", "/", form, "language=c&code=command&args=a++b&stdin=in").await;
    assert!(ran.body.contains("exit 3") && ran.body.contains("] in"), "{}", ran.body);
    assert_eq!(server.get("/?language=c&starter=fern").await.status, 200);
    assert_eq!(server.get("/?language=c&starter=nothing").await.status, 404);
    server.end().await;
}
