/** A picture of a run as a self-contained page, with tables below it. */
import { html } from '../report/markup.ts';
import { pageOf, tableOf } from '../report/page.ts';
import type { Table } from '../report/table.ts';
import type { Picture } from './picture.ts';
import { svgOf } from './svg.ts';

/** The picture may be as wide as a page allows, and the tables quote code. */
const style = `
main { max-width: 78rem; } main > svg { max-width: 100%; height: auto; }
main > .wide { margin-top: 1.5rem; } caption { color: var(--text); font-weight: 600; } :is(th, td) { white-space: pre-wrap; } tbody th { font-weight: 400; }
`;

/** @returns the text of an HTML file */
export const htmlOf = (picture: Picture, tables: readonly Table[]): string =>
  pageOf({
    title: picture.title,
    by: 'trace',
    what: picture.notes.join(' '),
    style,
    body: html`${svgOf(picture)}${tables.map((table) => tableOf(table))}`,
  });
