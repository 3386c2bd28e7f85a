/** A table as lines of text: its cells wrapped at words where the lines have a width, else one line for each row. */

/** Spaces between two columns; where the words do not fit with so many, there is only one. */
const GAP = 2;

/** @param width how many characters a line may have; `undefined` for as many as it takes */
export function tableLines(rows: readonly (readonly string[])[], width?: number): string[][] {
  const { widths, gap } = layout(rows, width ?? Number.POSITIVE_INFINITY);
  return rows.map((row) => {
    const cells = row.map((cell, i) => wrap(cell, widths[i]!));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, i) => (lines[line] ?? '').padEnd(widths[i]!))
        .join(' '.repeat(gap))
        .trimEnd(),
    );
  });
}

/** Each column's natural width; where there is not room for that, the widest give way first. */
function layout(rows: readonly (readonly string[])[], width: number) {
  const columns = (rows[0] ?? []).map((_, i) => rows.map((row) => row[i]!));
  const widest = (lengthOf: (cell: string) => number) =>
    columns.map((cells) => Math.max(...cells.map(lengthOf)));
  const widths = widest((cell) => cell.length);
  const words = widest((cell) => Math.max(...pieces(cell).map((piece) => piece.trimEnd().length)));
  const gap = sum(words) + GAP * (words.length - 1) <= width ? GAP : 1;
  const room = Math.max(words.length, width - gap * (words.length - 1));
  // Narrower than its longest words, a column has to break them.
  narrow(widths, words, room);
  narrow(widths, [], room);
  return { widths, gap };
}

function narrow(widths: number[], least: readonly number[], room: number): void {
  const slackOf = (i: number) => (widths[i]! > (least[i] ?? 1) ? widths[i]! : 0);
  for (let left = sum(widths); left > room; left--) {
    const widest = widths.reduce((best, _, i) => (slackOf(i) > slackOf(best) ? i : best), 0);
    if (slackOf(widest) === 0) return;
    widths[widest]!--;
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** Where a line may end: after a space, which then is not printed, or after the hyphen of a compound. */
const pieces = (text: string): string[] => text.split(/(?<= )|(?<=(?:^| )\w+-)/);

function wrap(text: string, width: number): string[] {
  const lines: string[] = [''];
  for (const piece of pieces(text)) {
    const last = lines.at(-1)!;
    if (last.length + piece.trimEnd().length <= width) {
      lines[lines.length - 1] = last + piece;
      continue;
    }
    if (last === '') lines.pop();
    for (let at = 0; at < piece.trimEnd().length; at += width) {
      lines.push(piece.slice(at, at + width));
    }
  }
  return lines.map((line) => line.trimEnd());
}
