/** ns as text with a unit. */
export function duration(ns: number, digits = 3): string {
  if (ns === 0) return '0';
  const [unit, name] = ns < 1e6 ? [1e3, 'µs'] : ns < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  const value = ns / unit;
  // Whole units are not rounded away.
  return `${value >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits))} ${name}`;
}
