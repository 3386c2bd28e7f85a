/** A service that has Node make `process.stdin`, as an import of all of node:process does. */
import process from 'node:process';

export default {
  delimiter: '?',
  answer: () => process.version.slice(0, 1),
};
