/** The colours of the canvas: custom properties of the style sheet, so that both change together. */

const names = [
  'ground',
  'ink',
  'faint',
  'rule',
  'seat',
  'accent',
  'amber',
  'red',
  'culprit',
  'working',
  'one',
  'one-ground',
  'any',
  'any-ground',
  'sleep',
  'sleep-ground',
  'on-tone',
  'lane',
] as const;
export type ColourName = (typeof names)[number];
export type Colours = Readonly<Record<ColourName, string>>;

export function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    names.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || '#808080']),
  ) as Colours;
}
