/** A picture of a run as a self-contained page, with tables below it. */
import os from 'node:os';
import { html } from '../report/markup.ts';
import { pageOf, tableOf } from '../report/page.ts';
import type { Table } from '../report/table.ts';
import type { Picture } from './picture.ts';
import { svgOf } from './svg.ts';

/** The widths of the two pictures, in units of their text's size: one for screens, and one for phones. */
const WIDE = 1000;
const NARROW = 356;

/** The picture takes the whole width of the window, and its text grows with it. The tables quote code. */
const style = `
main { max-width: none; } main > svg { display: block; width: 100%; height: auto; }
main > svg.narrow { display: none; } @media (max-width: 44rem) { main > svg.wide { display: none; } main > svg.narrow { display: block; } }
main > div { margin-top: 1.5rem; } caption { color: var(--text); font-weight: 600; } :is(th, td) { white-space: pre-wrap; } tbody th { font-weight: 400; }
`;

/**
 * @param when start of the run, in ms since 1970
 * @returns the text of an HTML file
 */
export function htmlOf(picture: Picture, tables: readonly Table[], when: number): string {
  const drawn = (width: number, id: string) => svgOf(picture, { width, id, hasHeading: false });
  return pageOf({
    title: picture.title,
    by: 'trace',
    what: picture.notes.join(' '),
    when,
    where: `${os.type()} ${os.release()}, ${os.availableParallelism()} processors, Node ${process.versions.node}`,
    style,
    body: html`${drawn(WIDE, 'wide')}${drawn(NARROW, 'narrow')}${tables.map((table) => tableOf(table))}`,
  });
}
