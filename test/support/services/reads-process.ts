/** A service that has Node make `process.stdin`, and no sooner than with its second question. */
let asked = 0;

export default {
  delimiter: '?',
  answer: () => (asked++ > 0 && process.stdin.isTTY ? 'a terminal' : 'v'),
};
