// One EventSource for everything that streams down. Its topics follow what the page shows; it comes back by itself.
//
// A new stream begins with the present state of each topic, the last logs and requests included; what is heard twice is known by its
// id. A stream that breaks is resumed by the browser with `Last-Event-ID`; one that is refused is opened anew after a pause.

import type { Build, Deployment, LogLine, RequestReport } from "./objects.js";

export interface EventHandlers {
  build(build: Build): void;
  deployment(deployment: Deployment): void;
  log(line: LogLine): void;
  request(report: RequestReport): void;
  opened(): void;
  lost(): void;
}

const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 10_000;

export class EventStream {
  readonly #handlers: EventHandlers;
  #topics = "";
  #source: EventSource | null = null;
  #pauseMs = PAUSE_FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(handlers: EventHandlers) {
    this.#handlers = handlers;
  }

  /** Listens to these topics and no others. The same list again changes nothing. */
  listen(topics: string[]): void {
    const wanted = [...topics].sort().join(",");
    if (wanted === this.#topics) return;
    this.#topics = wanted;
    this.#open();
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    if (this.#topics === "") return;
    const query = new URLSearchParams({ topics: this.#topics });
    const source = new EventSource(`/api/v1/events?${query}`);
    this.#source = source;
    source.onopen = () => {
      this.#pauseMs = PAUSE_FIRST_MS;
      this.#handlers.opened();
    };
    source.onerror = () => this.#broken(source);
    this.#on<Build>(source, "build", (build) => this.#handlers.build(build));
    this.#on<Deployment>(source, "deployment", (deployment) => this.#handlers.deployment(deployment));
    this.#on<LogLine>(source, "log", (line) => this.#handlers.log(line));
    this.#on<RequestReport>(source, "request", (report) => this.#handlers.request(report));
  }

  #on<Data>(source: EventSource, name: string, handle: (data: Data) => void): void {
    source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      handle(JSON.parse(event.data) as Data);
    });
  }

  #broken(source: EventSource): void {
    if (source !== this.#source) return;
    this.#handlers.lost();
    if (source.readyState !== EventSource.CLOSED) return;
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MAX_MS);
  }
}
