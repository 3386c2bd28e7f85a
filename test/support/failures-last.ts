/**
 * A reporter for `CI=true`: the last lines of a run name each test that failed or was made again, and why. A log that
 * is cut keeps its end.
 */
import type { SerializedError, TestModule } from 'vitest/node';

/** How much of a message is printed, in characters. */
const LENGTH = 300;

export class FailuresLast {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const say = (what: string, place: string, all: readonly SerializedError[] = []) => {
      for (const { message } of all) {
        console.log(`${what} ${place}: ${message.slice(0, LENGTH).replaceAll('\n', ' ')}`);
      }
    };
    say('FAILED', 'outside of tests', errors);
    for (const module of modules) {
      const file = module.relativeModuleId;
      say('FAILED', file, module.errors());
      for (const suite of module.children.allSuites()) say('FAILED', file, suite.errors());
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        say(state === 'failed' ? 'FAILED' : 'MADE AGAIN', `${file} > ${test.fullName}`, errors);
      }
    }
  }
}
