// Passes a request on to the backend "origin" and its answer back.
import { Fetch, path, respond } from "vivarium";

const query = process.env.has("QUERY_STRING") ? process.env.get("QUERY_STRING") : "";
const fetch = new Fetch("GET", query.length > 0 ? path() + "?" + query : path()).send("origin");
const status = fetch.wait();
if (status < 0) {
  const hint = 'The backend did not answer. Give the deployment "backends": {"origin": {"origin": "https://example.org"}}.\n';
  respond(502, "text/plain; charset=utf-8", hint);
} else {
  respond(status, fetch.answerHeader("content-type", "text/plain; charset=utf-8"), fetch.text());
}
