// Light or dark: the system's choice until the reader makes another, which is then remembered.

import { byId } from "./dom.js";

export function connectThemeSwitch(): void {
  const page = document.documentElement;
  byId("switch-theme").addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const theme = (page.dataset.theme ?? system) === "dark" ? "light" : "dark";
    page.dataset.theme = theme;
    try {
      localStorage.setItem("vivarium:theme", theme);
    } catch {
      // Where nothing may be stored, the theme lives as long as the page.
    }
  });
}
