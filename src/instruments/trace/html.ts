/** A picture as a page that needs nothing else, with what was found in words below it. */
import type { Picture } from './picture.ts';
import { plain, svgOf } from './svg.ts';

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function htmlOf(picture: Picture, tables: readonly Table[]): string {
  const title = plain(picture.title);
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    row.map((cell) => `<${tag}>${plain(cell)}</${tag}>`).join('');
  const text = tables.map(
    ({ caption, head, rows }) => `<div class="wide"><table><caption>${plain(caption)}</caption>
<thead><tr>${cells(head, 'th')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n')}</tbody></table></div>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:1240px;padding:0 1rem}
svg{max-width:100%;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:1.5rem 0;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{text-align:left;padding:.15rem .9rem .15rem 0;border-bottom:1px solid #8884;vertical-align:top}
td{white-space:pre-wrap}
</style>
<main>
${svgOf(picture)}
${text.join('\n')}
</main>
</html>
`;
}
