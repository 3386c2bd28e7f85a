/** Makes the script and the style of the lab's page of its sources. `rolldown` is a development dependency. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', 'page');

export const builtScript = (): Promise<string> => built('main.tsx');
export const builtMissions = (): Promise<string> => built('missions-script.ts');

/** A classic script: browsers load no module from a file that a user opens by a double-click. */
async function built(entry: string): Promise<string> {
  const { rolldown } = await import('rolldown');
  const made = await rolldown({
    input: join(folder, entry),
    platform: 'browser',
    transform: {
      target: 'es2022',
      jsx: { runtime: 'automatic', importSource: 'preact' },
      define: { 'process.env.NODE_ENV': '"production"' },
    },
    tsconfig: false,
  });
  try {
    const { output } = await made.generate({
      format: 'iife',
      minify: true,
      comments: false,
      codeSplitting: false,
    });
    return output[0].code;
  } finally {
    await made.close();
  }
}

/** All `.css` files of the page in the order of their names, without comments and indentation. */
export const builtStyle = (): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.css'))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/^\s+/gm, '');
