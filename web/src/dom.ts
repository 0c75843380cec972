// Elements made from code. Text goes in as text nodes only: nothing that a guest or a compiler wrote is ever parsed as HTML.

export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  append(element, children);
  return element;
}

export function append(parent: Element, children: Child[]): void {
  for (const child of children) if (child !== null && child !== undefined && child !== false) parent.append(child);
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** The element with this id, which the template has. */
export function byId<Type extends HTMLElement>(id: string): Type {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element #${id}.`);
  return element as Type;
}

const SVG = "http://www.w3.org/2000/svg";

/** A picture of the page's sprite. */
export function icon(name: string, className = ""): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className === "" ? "icon" : `icon ${className}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

/** Sets text only when it differs: a live region speaks, and a selection breaks, when a node is replaced by its like. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
