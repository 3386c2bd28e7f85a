/** What the lab's page consists of: as `npm run build` made it, or made of the sources in a checkout. */
import { readFileSync } from 'node:fs';
import { ServeError } from '../../../host/errors.ts';

export interface PageFiles {
  readonly html: string;
  readonly script: string;
  /** The script that the page loads when a viewer opens the missions. */
  readonly missions: string;
  readonly style: string;
}

/** The page has no content of its own, and nothing secret: the token of a launch is in the address only. */
const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Mondo lab</title>
<link rel="icon" href="/favicon.svg">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
<body><div id="lab"></div><noscript>The lab needs JavaScript.</noscript></body>
</html>
`;

const isBuilt = import.meta.url.endsWith('.js');

/** @throws ServeError in a checkout without the development dependencies */
export async function pageFiles(): Promise<PageFiles> {
  if (isBuilt) {
    const read = (name: string) =>
      readFileSync(new URL(`../page/${name}`, import.meta.url), 'utf8');
    return {
      html,
      script: read('page.js'),
      missions: read('missions.js'),
      style: read('page.css'),
    };
  }
  const { builtMissions, builtScript, builtStyle } = await import('./page-build.ts');
  try {
    const [script, missions] = await Promise.all([builtScript(), builtMissions()]);
    return { html, script, missions, style: builtStyle() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ServeError(
      'failed',
      'Cannot build the page of the lab: rolldown is not installed; run npm ci in this checkout',
      { cause: error },
    );
  }
}
