export { wastLanguage as language } from "@codemirror/lang-wast";
