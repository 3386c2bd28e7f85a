/** Refuses options with names that a library call does not know: a misspelt one would silently do nothing. */

/**
 * The fault in the names of a caller's options; undefined if there is none.
 *
 * @param what whose options they are, such as `serve`
 * @param names all names that it knows
 */
export function unknownOption(
  what: string,
  given: object,
  names: readonly string[],
): string | undefined {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown === undefined) return undefined;
  return `${what} has no option "${unknown}"; there are ${names.join(', ')}`;
}
