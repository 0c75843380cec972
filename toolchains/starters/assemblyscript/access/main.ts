// Lets in who sends the right key: curl -H "X-Key: open-sesame" URL. The key is the deployment's secret KEY, where it has one.
import { header, respond, secret } from "vivarium";

// Compares all of it, so that the time it takes tells nothing.
function same(one: string, other: string): bool {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ (i < other.length ? other.charCodeAt(i) : 0);
  return difference == 0;
}

if (same(secret("KEY", "open-sesame"), header("x-key"))) {
  respond(200, "text/plain; charset=utf-8", "Welcome: this is behind the door.\n");
} else {
  respond(403, "text/plain; charset=utf-8", "Send the key, in the header X-Key.\n");
}
