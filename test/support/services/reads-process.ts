/** A service that makes Node create `process.stdin`, with its second question and not before. */
let asked = 0;

export default {
  delimiter: '?',
  answer: () => (asked++ > 0 && process.stdin.isTTY ? 'a terminal' : 'v'),
};
