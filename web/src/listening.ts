// What streams down and what the server remembers, brought into the state; and what to do while it cannot be reached.

import * as api from "./api.js";
import { EventStream } from "./events.js";
import { save } from "./programs.js";
import { REQUESTS_MAX } from "./requests.js";
import { insertRow, type Row, rowOfLog, rowOfRequest } from "./rows.js";
import { failed, heardBuild, heardDeployment } from "./run.js";
import { currentProgram, isBusy, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

const HEALTH_MS = 2000;

export class Listening {
  readonly #store: Store<Workshop>;
  readonly #stream: EventStream;
  #watching = false;

  constructor(store: Store<Workshop>) {
    this.#store = store;
    this.#stream = new EventStream({
      build: (build) => {
        const program = this.#programs().find((known) => known.attempt?.build?.id === build.id);
        if (program !== undefined) heardBuild(store, program, build);
      },
      deployment: (deployment) =>
        this.#withSlug(deployment.slug, (program) => {
          const ended = program.deployment?.state !== "expired" && deployment.state === "expired";
          const known = program.deployment;
          const newer = known !== null && deployment.revision > known.revision && !isBusy(program);
          if (newer) {
            program.elsewhere = true;
            program.deployedFiles = null;
          }
          // A revision is told of when it is made, and again when it answers.
          const answers = program.elsewhere && known?.timings.load === null && deployment.timings.load !== null;
          heardDeployment(program, deployment);
          // What is served has changed: the preview shows the page that visitors get now.
          if (ended || newer || answers) store.state.previewVersion += 1;
        }),
      log: (line) => this.#withSlug(line.slug, (program) => addRow(program, rowOfLog(line))),
      request: (report) =>
        this.#withSlug(report.slug, (program) => {
          if (program.requests.some((known) => known.id === report.id)) return;
          program.requests.push(report);
          program.requests.sort((a, b) => a.id - b.id);
          if (program.requests.length > REQUESTS_MAX) program.requests.shift();
          addRow(program, rowOfRequest(report));
        }),
      opened: () => this.#setOnline(true),
      lost: () => void this.watchHealth(),
    });
  }

  /** The topics follow the page: builds that are under way, and the deployment that is shown. */
  follow(workshop: Workshop): void {
    const topics = this.#building().map((program) => `build:${program.attempt?.build?.id}`);
    const deployment = currentProgram(workshop).deployment;
    if (deployment !== null) topics.push(`deployment:${deployment.slug}`);
    this.#stream.listen(topics);
    if (!workshop.online) void this.watchHealth();
  }

  /** Asks what became of the deployment that this browser remembers. One that the server does not know is forgotten. */
  async recall(program: Program): Promise<void> {
    if (program.slug === null || program.deployment !== null) return;
    try {
      const deployment = await api.deployment(program.slug);
      this.#store.update(() => heardDeployment(program, deployment));
    } catch (error) {
      if (error instanceof api.Unreachable) return this.watchHealth();
      program.slug = null;
      program.deployedFiles = null;
      save(program);
    }
  }

  /** Says that the server is gone until it answers again; then asks for what was missed. */
  async watchHealth(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    while (!(await api.isHealthy())) {
      this.#setOnline(false);
      await new Promise((resolve) => setTimeout(resolve, HEALTH_MS));
    }
    this.#watching = false;
    this.#setOnline(true);
    for (const program of this.#building()) await this.#askBuild(program);
    await this.recall(currentProgram(this.#store.state));
  }

  /** A build does not outlive the server that made it. */
  async #askBuild(program: Program): Promise<void> {
    const id = program.attempt?.build?.id;
    if (id === undefined) return;
    try {
      heardBuild(this.#store, program, await api.build(id));
    } catch (error) {
      if (error instanceof api.Unreachable) return this.watchHealth();
      failed(this.#store, program, "The server was restarted and the build is gone. Press Run again.", null);
    }
  }

  #programs(): Program[] {
    return Object.values(this.#store.state.programs);
  }

  #building(): Program[] {
    return this.#programs().filter((program) => isBusy(program) && program.attempt?.build);
  }

  #withSlug(slug: string, change: (program: Program) => void): void {
    const program = this.#programs().find((known) => known.slug === slug);
    if (program !== undefined) this.#store.updateSoon(() => change(program));
  }

  #setOnline(online: boolean): void {
    if (this.#store.state.online === online) return;
    this.#store.update((workshop) => {
      workshop.online = online;
    });
  }
}

function addRow(program: Program, row: Row | null): void {
  const count = program.rows.length;
  if (row === null || !insertRow(program.rows, row)) return;
  program.rowsVersion += 1;
  program.rowsLeftOut += count + 1 - program.rows.length;
}
