/** A server that speaks first: says the time and closes, without having read a byte (RFC 867). */
import type { Protocol } from '../src/index.ts';

const timeOfDay: Protocol = {
  shared: 'none',
  dialogue: () => ({
    greeting: `${new Date().toUTCString()}\r\n`,
    finished: true,
    frame: () => -1,
  }),
};

export default timeOfDay;
