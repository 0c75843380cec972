//! Every function of the crate `vivarium`, once.
use vivarium::{Fetch, Request, config, escape, form_value, kv, log, respond, secret};

fn main() -> Result<(), vivarium::Error> {
    let mut out = String::new();
    let mut show = |what: &str, text: Option<String>| out += &format!("{what}: {}\n", text.as_deref().unwrap_or("none"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    show("method", Some(Request.method()));
    show("path", Some(Request.path()));
    show("agent", Request.header("User-Agent"));
    show("type", Request.header("content-type"));
    show("missing", Request.header("x-missing"));
    show("parameter", Request.parameter("x"));
    show("no parameter", Request.parameter("z"));
    show("form", form_value(&text(Request.body()), "line"));
    show("html", Some(escape("<b>\"&'")));
    show("kv", kv::get("key").map(text));
    let kept = kv::set("key", "fern");
    show("kept", kv::get("key").map(text));
    let forgotten = kv::delete("key");
    show("forgotten", kv::get("key").map(text));
    show("done", Some(format!("{} {}", i32::from(kept.is_err()), i32::from(forgotten.is_err()))));
    show("config", config("colours", "leaf"));
    show("no config", config("colours", "root"));
    show("secret", secret("KEY").map(text));
    show("no secret", secret("LOCK").map(text));
    log("jay", "2 seen");

    let again = Fetch::get("/again").send("origin")?.wait()?.text()?;
    let pending = Fetch::post("/x?y", "moss").header("x-own", "1").send("origin")?;
    let answer = pending.wait()?;
    let (status, from) = (answer.status, answer.header("X-Backend").unwrap_or_default());
    show("fetch", Some(format!("0 {status} {from} {}", text(answer.bytes()?))));
    assert!(again.starts_with("GET /again "));
    show("no backend", Some(format!("-{}", i32::from(Fetch::new("GET", "/").send("nowhere").is_err()))));
    respond(201, "text/plain; charset=utf-8", out);
    Ok(())
}
