// `/embed.js`, for the page that embeds: it puts a frame in the place of each
//
//   <a data-vivarium href="https://workshop/f/ID">…</a>                     with data-view, data-file, data-lines, data-theme, data-ro, data-height
//   <script type="application/json+vivarium">{"language": "c", "files": {…}}</script>     a program that the page itself holds
//
// Without this script the first is a link, and the second is nothing that is seen.

(() => {
  const OPTIONS = ["view", "file", "lines", "theme", "ro"];
  const HEIGHT_PX = 360;
  const own = document.currentScript as HTMLScriptElement | null;
  const origin = new URL(own?.src ?? location.href).origin;

  function frame(address: string, title: string, given: DOMStringMap): HTMLIFrameElement {
    const url = new URL(address, origin);
    for (const option of OPTIONS) if (given[option] !== undefined) url.searchParams.set(option, given[option] ?? "");
    const made = document.createElement("iframe");
    made.src = url.href;
    made.title = title;
    made.loading = "lazy";
    made.style.cssText = `width:100%;height:${Number(given.height) || HEIGHT_PX}px;border:0`;
    return made;
  }

  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-vivarium]")) {
    // A link to one revision of a fiddle stays a link: there is no frame of it. So does one to another workshop.
    const id = link.origin === origin ? /^\/[sfe]\/([A-Za-z0-9_-]+)\/?$/.exec(link.pathname)?.[1] : undefined;
    if (id !== undefined) link.replaceWith(frame(`/e/${id}`, link.textContent || "A program", link.dataset));
  }

  async function packed(text: string): Promise<string> {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  for (const script of document.querySelectorAll<HTMLScriptElement>('script[type="application/json+vivarium"]')) {
    const name = script.dataset.name ?? "A program";
    void packed(script.text).then((link) => script.replaceWith(frame(`/e/#v1:${link}`, name, script.dataset)));
  }
})();
