/** The one table of all reports, and its text layout; page.ts has the HTML layout. */

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** A letter for each column, `l` for words or `r` for numbers; the last letter stands for all columns after it. Default `l`. */
  readonly align?: string;
}

/** Whether a column has numbers, which stand at its right edge. */
export const isNumber = ({ align = 'l' }: Pick<Table, 'align'>, column: number): boolean =>
  align[Math.min(column, align.length - 1)] === 'r';

export interface TextLayout {
  /** Characters that a line may have; default: unlimited. Cells wrap at words. */
  readonly width?: number | undefined;
  /** Characters that the first column has at least. */
  readonly first?: number;
}

/** Spaces between two columns; one if the words do not fit otherwise. */
const GAP = 2;

/** The text layout of a table without its caption. @returns for the heading and for each row its lines */
export function tableLines(
  table: Omit<Table, 'caption'>,
  { width = Number.POSITIVE_INFINITY, first = 0 }: TextLayout = {},
): string[][] {
  const all = [table.head, ...table.rows];
  const { widths, gap } = layout(all, width);
  widths[0] = Math.max(widths[0] ?? 0, first);
  const padded = (text: string, i: number) =>
    isNumber(table, i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  return all.map((row) => {
    const cells = row.map((cell, i) => wrap(cell, widths[i]!));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, i) => padded(lines[line] ?? '', i))
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
