/**
 * A recording as one HTML file: it plays by a double-click, on any host of files, and in a frame of a learning
 * platform that allows scripts only. The page of the lab is in it; it opens no connection.
 */

import { createHash } from 'node:crypto';
import { html, trusted } from '../../report/markup.ts';
import { captionOf } from '../shared/caption.ts';
import { pack } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import type { PageFiles } from './page-files.ts';

/** @param records with a header first, as `unpack` gives them */
export async function staticPage(
  records: readonly LabRecord[],
  { script, missions, style }: Omit<PageFiles, 'html'>,
): Promise<string> {
  const [header] = records;
  if (header?.k !== 'h') throw new Error('A recording begins with its header');
  const code = inlined(`${missions}\n${script}`);
  const css = `${style}\n${captionStyle}`;
  if (/<\/style/i.test(css)) throw new Error('The style of the page ends itself');
  const [what, when, command] = captionOf(header, header.setup, 0);
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(code)}'`,
    `style-src '${hashOf(css)}'`,
    'img-src data: blob:',
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  // Nothing of a recording is outside of base64 and of what the template escapes.
  const data = Buffer.from(await pack(records)).toString('base64');
  return `${html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${header.setup.title === '' ? 'Mondo lab' : header.setup.title}, recorded</title>
<link rel="icon" href="data:,">
<style>${trusted(css)}</style>
<body>
<div id="lab"></div>
<footer class="recorded-caption"><p>${what}</p><p>Recorded ${when}. See it live: <code>${command}</code></p></footer>
<noscript>This recording needs JavaScript.</noscript>
<script type="application/octet-stream" id="r">${data}${endOfScript}
<script>${trusted(code)}${endOfScript}
</body>
</html>
`}`;
}

/** Not in the template itself: a bundler would rewrite such a template with a helper that no package brings. */
const endOfScript = trusted('</script>');
const captionStyle = '.recorded-caption{padding:8px 16px}.recorded-caption p{margin:4px 0}';

/**
 * The script as it can stand between the tags of an HTML file. In the code, `</script` can be in a string or in a
 * regular expression only, where a backslash changes nothing; `<!--` would be a comment there.
 */
function inlined(script: string): string {
  const code = script.trim().replace(/<\/(?=script)/gi, '<\\/');
  if (code.includes('<!--')) throw new Error('The script of the page has a comment of HTML');
  return code;
}

const hashOf = (text: string): string =>
  `sha256-${createHash('sha256').update(text).digest('base64')}`;
