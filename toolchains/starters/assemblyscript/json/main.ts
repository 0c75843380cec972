// A small JSON API: /?n=30 answers the first n Fibonacci numbers.
import { parameter, respond } from "vivarium";

const COUNT_MAX = 90;

const count = <i32>parseInt(parameter("n", "10"));
if (count < 1 || count > COUNT_MAX) {
  respond(400, "application/json", '{"error":"n is a number from 1 to ' + COUNT_MAX.toString() + '"}\n');
} else {
  const numbers: u64[] = [1, 1];
  while (numbers.length < count) numbers.push(numbers[numbers.length - 1] + numbers[numbers.length - 2]);
  respond(200, "application/json", '{"numbers":[' + numbers.slice(0, count).join(",") + "]}\n");
}
