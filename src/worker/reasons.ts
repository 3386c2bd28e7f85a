/** Why servers close or refuse connections. Without imports: the lab's page loads it too. */

/**
 * Reasons for closing or refusing connections. The scoreboard counts them in this order, and recordings of the lab name
 * each by its index: a new one comes last.
 */
export const reasons = [
  'idle',
  'question-time',
  'answer-time',
  'age',
  'question-size',
  'questions',
  'unsent-total',
  'deny',
  'allow',
  'accepts-per-second',
  'connections-per-address',
  'connections',
  'early',
  'descriptor',
  'proxy-untrusted',
  'proxy-header',
  'proxy-missing',
  'proxy-malformed',
  'proxy-too-long',
  'proxy-partial',
] as const;
export type Reason = (typeof reasons)[number];
