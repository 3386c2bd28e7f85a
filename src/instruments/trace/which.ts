/** Which modules' lines are told. */
import { sep } from 'node:path';

/**
 * The longest path that holds the file decides; of what lies under it in `node_modules` nothing is
 * told, as it is nobody's own code.
 *
 * @param include paths of files and folders, absolute
 * @param ignore likewise
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

/** How long the longest of `paths` is that is `path` or a folder above it; -1 if none is. */
function longest(path: string, paths: readonly string[]): number {
  let length = -1;
  for (const one of paths) {
    const folder = one.endsWith(sep) ? one.slice(0, -1) : one;
    if (path === folder || path.startsWith(folder + sep)) length = Math.max(length, folder.length);
  }
  return length;
}
