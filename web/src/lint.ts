// What of the lint package the editor uses: a chunk of its own, loaded with the first problem that a compiler finds.
export { lintGutter, setDiagnostics } from "@codemirror/lint";
