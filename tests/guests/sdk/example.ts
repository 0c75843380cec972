// Every function of the module "vivarium", once.
import { Fetch, body, config, escape, formValue, header, kv, log, method, parameter, path, respond, respondBytes, secret } from "vivarium";

let out = "";
function show(what: string, text: string): void {
  out += what + ": " + text + "\n";
}

show("method", method());
show("path", path());
show("agent", header("User-Agent"));
show("type", header("content-type"));
show("missing", header("x-missing", "none"));
show("parameter", parameter("x"));
show("no parameter", parameter("z", "none"));
show("form", formValue(body(), "line"));
show("html", escape("<b>\"&'"));
show("kv", kv.get("key", "none"));
const kept = kv.set("key", "fern");
show("kept", kv.get("key", "none"));
const forgotten = kv.remove("key");
show("forgotten", kv.get("key", "none"));
show("done", (kept ? "0 " : "1 ") + (forgotten ? "0" : "1"));
show("config", config("colours", "leaf"));
show("no config", config("colours", "root", "none"));
show("secret", secret("KEY"));
show("no secret", secret("LOCK", "none"));
log("jay", "2 seen");

const fetch = new Fetch("POST", "/x?y").header("x-own", "1").send("origin", "moss");
const status = fetch.wait();
show("fetch", "0 " + status.toString() + " " + fetch.answerHeader("X-Backend") + " " + fetch.text());
show("no backend", new Fetch("GET", "/").send("nowhere").wait().toString());
if (status == 200) respondBytes(201, "text/plain; charset=utf-8", Uint8Array.wrap(String.UTF8.encode(out)));
else respond(500, "text/plain", out);
