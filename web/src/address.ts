// Where a deployment is asked. A path comes from links and shares of anybody: it must lead nowhere else.

/** The deployment's URL with this path and query; its root where they would lead to another origin. */
export function urlOf({ url }: { url: string }, path: string): string {
  const root = new URL(url);
  const asked = URL.canParse(path, root) ? new URL(path, root) : root;
  return asked.origin === root.origin ? asked.href : root.href;
}

/** A path as somebody wrote it: with one slash at its beginning, since two would name a host. */
export function pathOf(text: string): string {
  return text.replace(/^[/\\\s]*/, "/");
}
