// The editor: CodeMirror from its parts. It takes the place of the template's text area, with the same metrics, so that nothing jumps.
//
// Each file of each program has an editor state of its own, which keeps its history and its marks while another file is shown.

import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import {
  Compartment,
  EditorSelection,
  EditorState,
  type Extension,
  type StateEffect,
  StateField,
  type Text,
} from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { offsetOf } from "./diagnostics.js";
import { explain, explanation } from "./explanation.js";
import { grammar } from "./languages.js";
import { mark, marking, readyToMark } from "./marking.js";
import type { Diagnostic } from "./objects.js";
import { search } from "./search.js";
import type { Program } from "./state.js";

/** What the editor asks of the page. */
export interface EditorCommands {
  run(): void;
  nextProblem(step: 1 | -1): void;
  changed(file: string, text: Text): void;
}

/** How an editor differs from that of the workshop. */
export interface EditorOptions {
  readOnly?: boolean;
  /** Lines of one file that stand out, counted from 1, both included. */
  lines?: { file: string; first: number; last: number } | null;
}

export class Editor {
  readonly #view: EditorView;
  readonly #commands: EditorCommands;
  readonly #nonce: string;
  readonly #options: EditorOptions;
  readonly #left = new Map<string, { state: EditorState; scroll: StateEffect<unknown> }>();
  readonly #grammar = new Compartment();
  readonly #label = new Compartment();
  readonly #tabKey = new Compartment();
  #tabIndents = false;
  #shown = "";
  #file = "";
  #diagnostics: Diagnostic[] = [];

  constructor(place: HTMLElement, nonce: string, commands: EditorCommands, options: EditorOptions = {}) {
    this.#commands = commands;
    this.#options = options;
    this.#nonce = nonce;
    this.#view = new EditorView({ state: this.#stateOf("", "", "") });
    // A region that scrolls must be reachable by keyboard (WCAG 2.1.1).
    this.#view.scrollDOM.tabIndex = 0;
    place.replaceChildren(this.#view.dom);
  }

  /** Shows the program's active file, as it was left; keeps the caret where it is when that file is shown already. */
  show(program: Program): void {
    const key = `${program.language}/${program.activeFile}`;
    const text = program.files[program.activeFile] ?? "";
    if (key === this.#shown) {
      this.#replaceText(text);
      return;
    }
    if (this.#shown !== "")
      this.#left.set(this.#shown, { state: this.#view.state, scroll: this.#view.scrollSnapshot() });
    this.#shown = key;
    this.#file = program.activeFile;
    const kept = this.#left.get(key);
    this.#view.setState(kept?.state ?? this.#stateOf(program.language, program.activeFile, text));
    if (kept !== undefined) this.#replaceText(text);
    this.tabIndents = this.#tabIndents;
    if (kept === undefined) this.#view.scrollDOM.scrollTop = 0;
    else this.#view.dispatch({ effects: kept.scroll });
    void this.#mark();
    void this.#colour(program.language, key);
  }

  /** Forgets the states of a program that was replaced by a starter; its history is that of another text. */
  forget(language: string): void {
    for (const key of this.#left.keys()) if (key.startsWith(`${language}/`)) this.#left.delete(key);
    if (this.#shown.startsWith(`${language}/`)) this.#shown = "";
  }

  /** Marks what the compiler found in the file that is shown. `problem` is the one that is explained in the text. */
  mark(diagnostics: Diagnostic[], problem: Diagnostic | null): void {
    if (diagnostics !== this.#diagnostics) {
      this.#diagnostics = diagnostics;
      void this.#mark();
    }
    const here = problem !== null && problem.file === this.#file ? problem : null;
    explain(this.#view, here);
  }

  /** Puts the caret at a place and scrolls it into view. Lines and columns count from 1. */
  goTo(line: number, column: number): void {
    const offset = offsetOf(this.#view.state.doc, line, column);
    const effects = EditorView.scrollIntoView(offset, { y: "center" });
    this.#view.dispatch({ selection: EditorSelection.cursor(offset), effects });
    this.#view.focus();
  }

  /** Scrolls so that this line is the first that is seen. */
  scrollTo(line: number): void {
    const offset = offsetOf(this.#view.state.doc, line, 1);
    this.#view.dispatch({ effects: EditorView.scrollIntoView(offset, { y: "start", yMargin: 0 }) });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Off, Tab leaves the editor. */
  set tabIndents(on: boolean) {
    this.#tabIndents = on;
    this.#view.dispatch({ effects: this.#tabKey.reconfigure(tabKeymap(on)) });
  }

  #replaceText(text: string): void {
    const { doc, selection } = this.#view.state;
    if (doc.toString() === text) return;
    const before = doc.lineAt(selection.main.head);
    const insert = this.#view.state.toText(text);
    // The caret stays in its line, as near to where it was as that reaches.
    const line = insert.line(Math.min(before.number, insert.lines));
    const anchor = line.from + Math.min(selection.main.head - before.from, line.length);
    // One Undo takes back this and nothing that was typed just before.
    const annotations = isolateHistory.of("full");
    this.#view.dispatch({ changes: { from: 0, to: doc.length, insert }, selection: { anchor }, annotations });
  }

  /** What is marked is asked for after the wait: another file may be shown by then. */
  async #mark(): Promise<void> {
    if (await readyToMark(this.#diagnostics)) mark(this.#view, this.#diagnostics, this.#file);
  }

  async #colour(language: string, key: string): Promise<void> {
    const colours = await grammar(language);
    if (this.#shown === key) this.#view.dispatch({ effects: this.#grammar.reconfigure(colours) });
  }

  #stateOf(language: string, file: string, text: string): EditorState {
    const indent = language === "assemblyscript" || language === "wat" ? "  " : "    ";
    return EditorState.create({
      doc: text,
      extensions: [
        this.#behaviour(indent, file),
        this.#label.of(EditorView.contentAttributes.of({ "aria-label": file || "Code" })),
      ],
    });
  }

  #behaviour(indent: string, file: string): Extension {
    const { readOnly, lines } = this.#options;
    const commands = this.#commands;
    const run = () => {
      commands.run();
      return true;
    };
    const step = (by: 1 | -1) => () => {
      commands.nextProblem(by);
      return true;
    };
    return [
      EditorView.cspNonce.of(this.#nonce),
      marking,
      lineNumbers(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      explanation,
      search,
      indentUnit.of(indent),
      EditorState.tabSize.of(4),
      EditorState.readOnly.of(readOnly === true),
      lines && lines.file === file ? standingOut(lines.first, lines.last) : [],
      this.#grammar.of([]),
      syntaxHighlighting(classHighlighter),
      // Ctrl+Enter stands before the default keymap, which would insert a line.
      this.#tabKey.of(tabKeymap(this.#tabIndents)),
      keymap.of([
        { key: "Mod-Enter", run },
        { key: "F8", run: step(1), shift: step(-1) },
        ...closeBracketsKeymap,
        ...historyKeymap,
        ...defaultKeymap,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && this.#file !== "") commands.changed(this.#file, update.state.doc);
      }),
    ];
  }
}

const STANDS_OUT = Decoration.line({ class: "stands-out" });

/** They follow the text as it is changed above them. */
function standingOut(first: number, last: number): Extension {
  return StateField.define<DecorationSet>({
    create: ({ doc }) => {
      const length = Math.max(0, Math.min(last, doc.lines) - first + 1);
      return Decoration.set(Array.from({ length }, (_, index) => STANDS_OUT.range(doc.line(first + index).from)));
    },
    update: (marks, { changes }) => marks.map(changes),
    provide: (field) => EditorView.decorations.from(field),
  });
}

/** Escape and then Tab leaves the editor either way. */
function tabKeymap(indents: boolean): Extension {
  return indents ? keymap.of([indentWithTab]) : [];
}
