// A line of arguments as a shell would split it: quotes keep words together, a backslash takes the next character as it is.

export function splitArguments(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] as string;
    if (character === "\\" && quote !== "'" && index + 1 < line.length) {
      index += 1;
      word = (word ?? "") + line[index];
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else word = (word ?? "") + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}
