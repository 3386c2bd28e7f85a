/** The recordings of the scenes that come with Mondo: a page plays one where a live demonstration fails. */
import { readdirSync, readFileSync } from 'node:fs';

/** From `src/` and from `dist/` it is equally far. */
const folder = new URL('../../../../docs/lab/', import.meta.url);

/** Pairs of a path for a URL and the bytes of a recording; none if the documents are not there. */
export function recordedScenes(): readonly (readonly [path: string, bytes: Buffer])[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => /^[a-z-]+\.mondolab$/.test(name))
    .map((name) => [`/recorded/${name}`, readFileSync(new URL(name, folder))]);
}
