/** Answers `Which?` with the descriptors of a program that it starts, and any other question as the Zen does one. */
import { execFileSync } from 'node:child_process';
import type { Service } from '../../../src/protocol/service.ts';

/** The shell lists the folder through a descriptor, and has closed it when it checks each entry. */
const LIST = 'for fd in /proc/$$/fd/*; do if [ -e "$fd" ]; then echo "$fd"; fi; done';

/** The descriptors that a program inherits from this process, such as `0 1 2`. */
export const inheritedHere = (): string =>
  execFileSync('sh', ['-c', LIST], { encoding: 'latin1' })
    .trim()
    .split('\n')
    .map((path) => path.slice(path.lastIndexOf('/') + 1))
    .join(' ');

const startsProgram: Service = {
  delimiter: '?',
  answer: (question) => (question === 'Which?' ? `${inheritedHere()}.` : 'Complex.'),
};

export default startsProgram;
