// Everything that a page has to do once something was run: what streams down, and the views of what answered. A chunk of its own, asked for
// with the first sign that the page is used; a reader who runs nothing never loads it.

import { commandView } from "./command.js";
import { addressView, bannerView, type DeploymentCommands, expiryView } from "./deployment.js";
import { Listening } from "./listening.js";
import { logsView } from "./logs.js";
import type { Kind } from "./objects.js";
import { previewView } from "./preview.js";
import { requestsView } from "./requests.js";
import { cancel, keepDeployment, run } from "./run.js";
import type { Program, Workshop } from "./state.js";
import type { Store } from "./store.js";
import { stripView } from "./strip.js";

const COUNTDOWN_MS = 1000;

/** What the views ask of the page. */
export interface PageCommands {
  /** As a service, where it looks like a command. */
  run(kind?: Kind): void;
  reload(): void;
  selectRequest(id: number): void;
  /** Something other than a file's text has changed. */
  touched(): void;
}

export interface Answering {
  run(kind: Kind | null): void;
  cancel(): void;
  /** Asks what became of the program's deployment. */
  recall(program: Program): void;
}

export function connectAnswering(store: Store<Workshop>, page: PageCommands): Answering {
  const listening = new Listening(store);
  const commands: DeploymentCommands = {
    run: () => page.run(),
    keep: () => void keepDeployment(store),
    reload: page.reload,
  };
  const expiry = expiryView(commands);
  store.show(stripView(store));
  store.show(logsView(page.selectRequest));
  store.show(requestsView(page.selectRequest));
  store.show(commandView(store, page.touched, () => page.run("service")));
  store.show(addressView(commands));
  store.show(bannerView(commands));
  store.show(previewView(store, page.touched));
  store.show(expiry);
  store.show((workshop) => listening.follow(workshop));
  setInterval(() => expiry(store.state), COUNTDOWN_MS);
  return {
    run: (kind) => void run(store, kind),
    cancel: () => cancel(store),
    recall: (program) => void listening.recall(program),
  };
}
