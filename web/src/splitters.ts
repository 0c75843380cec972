// The lines between panes: dragged by a pointer, moved by arrow keys, remembered.

import { byId } from "./dom.js";

const KEY = "vivarium:layout";
const STEP = 2;

interface Splitter {
  id: string;
  /** The custom property of the page that holds the share of the first side, in percent. */
  property: string;
}

const SPLITTERS: Splitter[] = [
  { id: "split-left", property: "--split-left" },
  { id: "split-columns", property: "--split-columns" },
  { id: "split-right", property: "--split-right" },
];

export function connectSplitters(): void {
  for (const splitter of SPLITTERS) connect(byId(splitter.id), splitter.property);
}

function connect(line: HTMLElement, property: string): void {
  const least = Number(line.getAttribute("aria-valuemin"));
  const most = Number(line.getAttribute("aria-valuemax"));
  const vertical = line.getAttribute("aria-orientation") === "vertical";
  const remembered = Number.parseFloat(document.documentElement.style.getPropertyValue(property));
  if (Number.isFinite(remembered)) line.setAttribute("aria-valuenow", remembered.toFixed(0));

  function set(share: number): void {
    const value = Math.min(most, Math.max(least, share));
    document.documentElement.style.setProperty(property, value.toFixed(1));
    line.setAttribute("aria-valuenow", value.toFixed(0));
  }

  function shareAt(event: PointerEvent): number {
    const box = (line.parentElement as HTMLElement).getBoundingClientRect();
    return vertical ? ((event.clientX - box.left) / box.width) * 100 : ((event.clientY - box.top) / box.height) * 100;
  }

  line.addEventListener("pointerdown", (event) => {
    line.setPointerCapture(event.pointerId);
    document.documentElement.dataset.dragging = "";
  });
  line.addEventListener("pointermove", (event) => {
    if (line.hasPointerCapture(event.pointerId)) set(shareAt(event));
  });
  line.addEventListener("lostpointercapture", () => {
    delete document.documentElement.dataset.dragging;
    remember();
  });
  line.addEventListener("keydown", (event) => {
    const [less, more] = vertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    if (event.key !== less && event.key !== more) return;
    event.preventDefault();
    set(Number(line.getAttribute("aria-valuenow")) + (event.key === more ? STEP : -STEP));
    remember();
  });
}

function remember(): void {
  const style = document.documentElement.style;
  const shares = SPLITTERS.map(({ property }) => [property, style.getPropertyValue(property)]).filter(
    ([, share]) => share !== "",
  );
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(shares)));
  } catch {
    // Where nothing may be stored, the layout lives as long as the page.
  }
}
