// Counts its visitors: the number outlives the request, and the server.
import { kv, respond } from "vivarium";

const now = <i64>parseInt(kv.get("visitors", "0")) + 1;
if (kv.set("visitors", now.toString())) respond(200, "text/plain; charset=utf-8", "You are visitor " + now.toString() + ".\n");
else respond(503, "text/plain; charset=utf-8", "The number cannot be kept now.\n");
