/**
 * Every seed that ever failed, with the fault that it found. Each run of the tests tries them again. tools/fuzz.ts
 * prints the line to add.
 */
export const failures: readonly {
  readonly property: string;
  readonly seed: number;
  readonly path: string;
  readonly found: string;
}[] = [
  {
    property: 'conversation',
    seed: 171_861_514,
    path: '818:8:1:2:2:3:3:3:1:2:3:2:2:2:3:3:3',
    found: 'a question of the table that is longer than the limit was answered where it came whole',
  },
];
