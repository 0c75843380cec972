// Sends the request back: its method, its path, who asked, and its body.
import { body, header, method, path, respond } from "vivarium";

const head = method() + " " + path() + "\nUser-Agent: " + header("user-agent", "none") + "\n\n";
respond(200, "text/plain; charset=utf-8", head + body());
