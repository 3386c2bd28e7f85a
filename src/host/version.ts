import { readFileSync } from 'node:fs';

/** Mondo's own version; `unknown` if its package.json is missing, as in a program that was bundled with it. */
export function version(): string {
  try {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { name, version: own } = JSON.parse(text) as { name: string; version: string };
    return name === 'mondo' ? own : 'unknown';
  } catch {
    return 'unknown';
  }
}
