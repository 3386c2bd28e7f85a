/** The table of all reports, and its text layout. page.ts has the HTML layout. */

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /**
   * A letter for each column: `l` for words, `r` for numbers. The last letter stands for all later
   * columns. Default `l`.
   */
  readonly align?: string;
}

/** True if a column has numbers, which are aligned to the right. */
export const isNumber = ({ align = 'l' }: Pick<Table, 'align'>, column: number): boolean =>
  align[Math.min(column, align.length - 1)] === 'r';

export interface TextLayout {
  /** Limit for the characters of a line; default: unlimited. Cells wrap at words. */
  readonly width?: number | undefined;
  /** Minimum width of the first column, in characters. */
  readonly first?: number;
  /** Spaces between two columns; default 2, and one if the words do not fit otherwise. */
  readonly gap?: number;
}

/**
 * Lays out a table as text, without its caption.
 *
 * @returns the lines of the heading and of each row
 */
export function tableLines(
  table: Omit<Table, 'caption'>,
  { width = Number.POSITIVE_INFINITY, first = 0, gap: widestGap = 2 }: TextLayout = {},
): string[][] {
  const all = [table.head, ...table.rows];
  const { widths, gap } = layout(all, width, widestGap);
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

/**
 * A table as text below its caption.
 *
 * @param isUnbroken if true, no cell wraps: a table that is too wide becomes several, one below the other, each with
 * the caption and the first column. Default false.
 */
export function tableText(
  table: Table,
  { width, isUnbroken = false }: { readonly width?: number | undefined; isUnbroken?: boolean } = {},
): string[] {
  const { caption, head, rows, align = 'l' } = table;
  const most = Math.max(...tableLines(table).flatMap((lines) => lines.map(({ length }) => length)));
  if (!isUnbroken || head.length < 3 || most <= (width ?? Number.POSITIVE_INFINITY)) {
    return [caption, ...tableLines(table, { width }).flat()];
  }
  const half = Math.max(2, Math.ceil(head.length / 2) - 1);
  const letters = align.padEnd(head.length, align.at(-1)!);
  const parts = [
    <T>(cells: ArrayLike<T>) => Array.from(cells).slice(0, half),
    <T>(cells: ArrayLike<T>) => Array.from(cells).filter((_, i) => i === 0 || i >= half),
  ];
  return parts.flatMap((part, i) => [
    ...(i > 0 ? [''] : []),
    ...tableText(
      { caption, head: part(head), rows: rows.map(part), align: part(letters).join('') },
      { width, isUnbroken },
    ),
  ]);
}

/** The natural width of each column. If they do not fit, the widest columns shrink first. */
function layout(rows: readonly (readonly string[])[], width: number, widestGap: number) {
  const columns = (rows[0] ?? []).map((_, i) => rows.map((row) => row[i]!));
  const widest = (lengthOf: (cell: string) => number) =>
    columns.map((cells) => Math.max(...cells.map(lengthOf)));
  const widths = widest((cell) => cell.length);
  const words = widest((cell) => Math.max(...pieces(cell).map((piece) => piece.trimEnd().length)));
  const gap = sum(words) + widestGap * (words.length - 1) <= width ? widestGap : 1;
  const room = Math.max(words.length, width - gap * (words.length - 1));
  // Now columns are narrower than their longest words, so words break.
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

/**
 * Splits a text where a line may end: after a space, which is then not printed, or after the hyphen
 * of a compound.
 */
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
