/** What a lecturer asks the class before each scene shows it. No Node and no DOM in here. */

import type { Choices } from './question.ts';

/** By the names of the scenes. */
export const votes: ReadonlyMap<string, Choices> = new Map([
  [
    'silent',
    {
      text: 'One client says nothing. Which of the five others get answers?',
      choices: [
        'all five, from both servers',
        'all five from poll, none from single',
        'all five from single, none from poll',
        'none, from both servers',
      ],
      right: 1,
    },
  ],
  [
    'turns',
    {
      text: 'Both clients ask four questions. When does client 2 get its first answer?',
      choices: [
        'after the first answer to client 1',
        'after half a second, at the same time as client 1',
        'after the fourth answer to client 1',
        'never',
      ],
      right: 2,
    },
  ],
  [
    'timeout',
    {
      text: 'The server ends each client that is silent for 3 s. Is single safe now?',
      choices: [
        'yes, no client can hold it up',
        'no, it waits 3 s for each silent client that comes',
        'no, the limit ends honest clients too',
        'yes, but only with more threads',
      ],
      right: 1,
    },
  ],
  [
    'capacity',
    {
      text: 'Three clients are silent. How many more stop four threads, and four processes?',
      choices: [
        'one more stops both',
        'one more stops the threads, and five stop the processes',
        'none: both are already stopped',
        'no number stops them',
      ],
      right: 0,
    },
  ],
  [
    'queues',
    {
      text: 'Four silent clients hold all four threads. Where does the fifth client wait?',
      choices: [
        'in the kernel, with both servers',
        'in the kernel with threaded, in the server with queued',
        'in the server, with both',
        'nowhere: it is refused',
      ],
      right: 1,
    },
  ],
  [
    'growing',
    {
      text: 'Sixteen clients are silent. What does each of them cost these two servers?',
      choices: [
        'nothing: it does not ask',
        'a thread or a process, for as long as it stays',
        'a thread or a process, until the server reads',
        "one place in the kernel's queue",
      ],
      right: 1,
    },
  ],
  [
    'one-place',
    {
      text: 'Fifty clients are silent, and one thread waits for all. Who waits for an answer?',
      choices: [
        'the four that ask, with all three servers',
        'the four that ask, only with select',
        'no client',
        'all fifty-four',
      ],
      right: 2,
    },
  ],
  [
    'long-answers',
    {
      text: 'Four clients ask at the same time, and an answer takes 1 s. How long does the last one wait?',
      choices: [
        '1 s with both servers',
        '4 s with both servers',
        '4 s with poll, 1 s with four threads',
        '1 s with poll, 4 s with four threads',
      ],
      right: 2,
    },
  ],
  [
    'loops',
    {
      text: 'Six clients are silent. How many threads does each of these four servers serve with?',
      choices: [
        'one',
        'six, one for each silent client',
        'twelve, one for each client',
        'it depends on the way the loop is written',
      ],
      right: 0,
    },
  ],
]);
