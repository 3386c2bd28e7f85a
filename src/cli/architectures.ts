/** `mondo architectures`: the catalogue, as its pages declare it. */
import { styleText } from 'node:util';
import { architectureNames, loadArchitecture } from '../architectures/catalogue.ts';
import { tableLines } from '../instruments/report/table.ts';
import type { Traits } from '../worker/contract.ts';
import { listingWidth } from './terminal.ts';

const columns: readonly (readonly [heading: string, trait: (traits: Traits) => string])[] = [
  ['name', ({ name }) => name],
  ['in the chapter', ({ chapter }) => chapter],
  ['process model', ({ processModel }) => processModel],
  ['I/O model', ({ ioModel }) => ioModel],
  ['concurrent conversations', ({ conversations }) => conversations],
  ['what defeats it', ({ defeatedBy }) => defeatedBy],
];

export async function architecturesCommand({ json }: { readonly json?: boolean }): Promise<void> {
  const catalogue: Traits[] = await Promise.all(architectureNames.map(loadArchitecture));
  if (json === true) {
    // The functions of a page cannot be written as JSON, and are left out.
    console.log(JSON.stringify(catalogue, undefined, 2));
    return;
  }
  const rows = catalogue.map((traits) => columns.map(([, trait]) => trait(traits)));
  const width = listingWidth();
  const [heading, ...lines] = tableLines({ head: columns.map(([name]) => name), rows }, { width });
  for (const line of heading!) console.log(styleText('bold', line));
  const isWrapped = lines.some((row) => row.length > 1);
  for (const row of lines) {
    if (isWrapped) console.log();
    console.log(row.join('\n'));
  }
}
