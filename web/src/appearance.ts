// Before the first paint: the theme and the layout that this reader chose, so that nothing flashes and nothing moves.

(() => {
  const page = document.documentElement;
  page.dataset.script = "on";
  try {
    const theme = localStorage.getItem("vivarium:theme");
    if (theme !== null) page.dataset.theme = theme;
    const layout = JSON.parse(localStorage.getItem("vivarium:layout") ?? "{}") as Record<string, string>;
    for (const [property, share] of Object.entries(layout)) page.style.setProperty(property, share);
  } catch {
    // A browser that keeps nothing shows the page as it comes.
  }
})();
