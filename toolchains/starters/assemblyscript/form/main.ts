// A page with a form: a text, and how it looks in Morse code.
import { body, escape, formValue, respond } from "vivarium";

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
const CODES = (".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. " +
  "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.").split(" ");

function morse(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const at = LETTERS.indexOf(text.charAt(i).toLowerCase());
    out += (at < 0 ? "/" : CODES[at]) + " ";
  }
  return out;
}

const text = formValue(body(), "text", "sos");
respond(200, "text/html; charset=utf-8", `<!doctype html><title>Morse</title><style>body{font:1.2rem system-ui;margin:4rem auto;max-width:30rem}</style>
<form method=post><input name=text value="${escape(text)}" autofocus> <button>Send</button></form><p><code>${morse(text)}</code></p>`);
