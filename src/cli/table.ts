/** A table as lines of text: its cells wrapped at words where the lines have a width, else one line for each row. */

/** Between two columns. */
const GAP = '  ';

/** @param width how many characters a line may have; `undefined` for as many as it takes */
export function tableLines(rows: readonly (readonly string[])[], width?: number): string[][] {
  const widths = columnWidths(rows, width);
  return rows.map((row) => {
    const cells = row.map((cell, i) => wrap(cell, widths[i]!));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, i) => (lines[line] ?? '').padEnd(widths[i]!))
        .join(GAP)
        .trimEnd(),
    );
  });
}

/** Each column's natural width; where there is not room for that, the widest give way first. */
function columnWidths(rows: readonly (readonly string[])[], width: number | undefined): number[] {
  const columns = (rows[0] ?? []).map((_, i) => rows.map((row) => row[i]!));
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  if (width === undefined) return widths;
  const words = columns.map((cells) =>
    Math.max(...cells.flatMap((cell) => cell.split(' ').map((word) => word.length))),
  );
  const room = width - GAP.length * (widths.length - 1);
  for (let left = widths.reduce((a, b) => a + b, 0); left > room; left--) {
    const widest = widths.reduce(
      (best, size, i) => (size > words[i]! && (best < 0 || size > widths[best]!) ? i : best),
      -1,
    );
    // Narrower than its longest words: the terminal must wrap.
    if (widest < 0) break;
    widths[widest]!--;
  }
  return widths;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
