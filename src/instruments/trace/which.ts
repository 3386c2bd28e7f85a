/** Decides which modules have their lines reported. */
import { sep } from 'node:path';

/**
 * The longest path that contains the file decides. Files in a `node_modules` folder below it are
 * not traced.
 *
 * @param include absolute paths of files and folders
 * @param ignore the same
 */
export function isTraced(
  path: string,
  include: readonly string[],
  ignore: readonly string[],
): boolean {
  const included = longest(path, include);
  if (included < 0 || longest(path, ignore) >= included) return false;
  return !path.slice(included).includes(`${sep}node_modules${sep}`);
}

/** Length of the longest of `paths` that is `path` or a folder above it; -1 if there is none. */
function longest(path: string, paths: readonly string[]): number {
  let length = -1;
  for (const one of paths) {
    const folder = one.endsWith(sep) ? one.slice(0, -1) : one;
    if (path === folder || path.startsWith(folder + sep)) length = Math.max(length, folder.length);
  }
  return length;
}
