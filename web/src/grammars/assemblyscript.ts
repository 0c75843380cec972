// Only the grammar: the completions that come with `javascript()` are those of another language, and half as heavy again.
export { typescriptLanguage as language } from "@codemirror/lang-javascript";
