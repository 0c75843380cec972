// The Logs panel: a plain list that grows at its end. It follows the newest line only while the reader is there.

import { byId, make, setText } from "./dom.js";
import { clockText, countText } from "./numbers.js";
import { matches, type Row } from "./rows.js";
import { currentProgram, type Program, placeText, type Workshop } from "./state.js";

/** So close to the end, in pixels, counts as reading the newest line. */
const FOLLOW_PX = 24;

const NOTHING_YET = "What the program prints on stderr is listed here, line by line, as it is printed.";

export function logsView(selectRequest: (id: number) => void): (workshop: Workshop) => void {
  const panel = byId("logs");
  const list = byId<HTMLOListElement>("log-lines");
  const filter = byId<HTMLInputElement>("log-filter");
  const count = byId("log-count");
  const more = byId<HTMLButtonElement>("new-lines");
  const empty = byId("logs-empty");
  let program: Program | null = null;
  let version = -1;
  let keys: string[] = [];
  let unread = 0;
  let visible = false;

  function follow(): void {
    panel.scrollTop = panel.scrollHeight;
    unread = 0;
    more.hidden = true;
  }

  function rowsNow(): Row[] {
    return (program?.rows ?? []).filter((row) => matches(row, filter.value.trim()));
  }

  /** Rows are added at the end and dropped at the start; for anything else the list is drawn anew. */
  function draw(anew: boolean): void {
    const atEnd = panel.scrollHeight - panel.scrollTop - panel.clientHeight < FOLLOW_PX;
    const rows = rowsNow();
    const first = rows[0]?.key;
    const dropped = anew || first === undefined ? -1 : keys.indexOf(first);
    const kept = dropped < 0 ? [] : keys.slice(dropped);
    const appended = dropped >= 0 && kept.every((key, index) => rows[index]?.key === key);
    if (appended) for (let index = 0; index < dropped; index += 1) list.firstElementChild?.remove();
    else list.replaceChildren();
    const added = appended ? rows.slice(kept.length) : rows;
    for (const row of added) list.append(logRow(row, selectRequest));
    keys = rows.map((row) => row.key);
    if (atEnd || anew) follow();
    else unread += added.length;
    more.hidden = unread === 0 || panel.offsetParent === null;
    setText(more, `${unread} new`);
  }

  panel.addEventListener("scroll", () => {
    if (panel.scrollHeight - panel.scrollTop - panel.clientHeight < FOLLOW_PX) follow();
  });
  more.addEventListener("click", follow);
  filter.addEventListener("input", () => draw(true));
  byId("download-logs").addEventListener("click", () => download(program));

  return (workshop) => {
    const now = currentProgram(workshop);
    const appeared = !visible && panel.offsetParent !== null;
    visible = panel.offsetParent !== null;
    if (now === program && now.rowsVersion === version) {
      if (appeared) follow();
      if (!visible) more.hidden = true;
      return;
    }
    const anew = now !== program;
    program = now;
    version = now.rowsVersion;
    draw(anew);
    const alarm = now.rows.some((row) => row.stream === "trap" && row.revision === now.deployment?.revision);
    setText(empty, now.rowsLeftOut === 0 ? NOTHING_YET : `${countText(now.rowsLeftOut, "older line")} left out.`);
    empty.hidden = now.rows.length > 0 && now.rowsLeftOut === 0;
    count.hidden = now.rows.length === 0;
    count.classList.toggle("danger", alarm);
    setText(count, String(now.rows.length));
  };
}

function logRow(row: Row, selectRequest: (id: number) => void): HTMLLIElement {
  const kinds: Record<Row["stream"], string> = {
    stderr: "log",
    stdout: "log",
    vivarium: "log own",
    trap: "log trap",
    limit: "log limit",
  };
  const item = make(
    "li",
    { class: kinds[row.stream] },
    make("time", { datetime: row.time }, clockText(row.time)),
    make("span", { class: "rev" }, `r${row.revision}`),
    requestLink(row.requestId, selectRequest),
    make("span", { class: "stream" }, row.stream),
  );
  const text = make("span", { class: "text" });
  item.append(text);
  if (row.stream === "trap" || row.stream === "limit") text.append(make("b", {}, row.text));
  else text.append(row.text);
  row.frames.forEach((frame, depth) => {
    const offset = frame.wasm_offset === null ? "" : `  wasm 0x${frame.wasm_offset.toString(16)}`;
    const place = frame.place === null ? "" : `  ${placeText(frame.place)}`;
    text.append(make("span", { class: "frame" }, `#${depth} ${frame.function ?? "unnamed"}${place}${offset}`));
  });
  return item;
}

function requestLink(id: number | null, selectRequest: (id: number) => void): HTMLElement {
  if (id === null) return make("span", { class: "req" });
  const link = make("button", { type: "button", class: "req" }, `req-${id}`);
  link.addEventListener("click", () => selectRequest(id));
  return link;
}

function download(program: Program | null): void {
  if (program === null) return;
  const lines = program.rows.map((row) =>
    JSON.stringify({
      time: row.time,
      revision: row.revision,
      request_id: row.requestId,
      stream: row.stream,
      text: row.text,
    }),
  );
  const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/x-ndjson" }));
  const link = make("a", { href: url, download: `${program.slug ?? program.starter}.ndjson` });
  link.click();
  URL.revokeObjectURL(url);
}
