/** The words of one simple command, as a shell takes them apart. */

/** Stops at a comment, a pipe, a list or a redirection. Knows quotes, and no variables. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  const PART = /\s*(?:(#.*|[|;&>)])|((?:'[^']*'|"[^"]*"|[^\s'"|;&>)])+))/y;
  for (let match = PART.exec(line); match !== null; match = PART.exec(line)) {
    const [, end, word] = match;
    if (end !== undefined || word!.startsWith('#')) break;
    words.push(word!.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, one, two) => one ?? two));
  }
  return words;
}
