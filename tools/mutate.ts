/**
 * `npm run mutate -- [WORD]`: breaks the rules of limits, drain and restart one after the other, in a copy, and
 * names the test that fails. If no test fails, the rule is not tested: exit code 1. `--where` only checks that each
 * rule still stands where this file says.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Mutation {
  readonly rule: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Files of tests, or parts of their names. */
  readonly tests: readonly string[];
}

const TERMS = 'src/lifecycle/terms.ts';
const DRAIN = 'src/lifecycle/drain.ts';
const ROSTER = 'src/lifecycle/roster.ts';
const CLIENTS = 'src/lifecycle/clients.ts';
const SCOREBOARD = 'src/worker/scoreboard.ts';
const SUPERVISOR = 'src/host/supervisor/supervisor.ts';
const SHUTDOWN = 'src/host/supervisor/shutdown.ts';

const pure = ['src/lifecycle', 'src/worker'];
const restarts = ['test/leaving/restart.test.ts', 'test/leaving/supervisor.test.ts'];

const mutations: readonly Mutation[] = [
  {
    rule: 'limits: an idle connection is closed when its time is over, not before',
    file: TERMS,
    from: 'spent >= most ?',
    to: 'spent >= most / 2 ?',
    tests: pure,
  },
  {
    rule: 'limits: a question has its own time, not the idle time',
    file: TERMS,
    from: 'if (phase === QUESTION) return limits.questionTime;',
    to: 'if (phase === QUESTION) return limits.idle;',
    tests: pure,
  },
  {
    rule: 'limits: a client that does not take its answer is closed',
    file: TERMS,
    from: 'return phase === ANSWER ? limits.answerTime : 0;',
    to: 'return 0;',
    tests: pure,
  },
  {
    rule: 'limits: a limit that is reached has the name of its phase',
    file: TERMS,
    from: "return phase === QUESTION ? 'question-time' : 'answer-time';",
    to: "return phase === QUESTION ? 'answer-time' : 'question-time';",
    tests: pure,
  },
  {
    rule: 'limits: a connection that is too old is closed',
    file: TERMS,
    from: 'limits.age > 0 && age >= limits.age + graceOf(limits, phase)',
    to: 'limits.age < 0 && age >= limits.age + graceOf(limits, phase)',
    tests: pure,
  },
  {
    rule: 'limits: an old connection may finish its question for a quarter of a second',
    file: TERMS,
    from: 'if (phase === QUESTION) return UNFINISHED_MS;',
    to: 'if (phase === QUESTION) return 0;',
    tests: pure,
  },
  {
    rule: 'limits: an old connection may take its answer, within the usual time',
    file: TERMS,
    from: 'if (phase === ANSWER) return limits.answerTime ||',
    to: 'if (phase === ANSWER) return 0 *',
    tests: pure,
  },
  {
    rule: 'limits: an old connection that waits for an answer gets it first',
    file: TERMS,
    from: 'phase === THINKING;',
    to: 'phase < 0;',
    tests: pure,
  },
  {
    rule: 'limits: looks come four times in the shortest limit',
    file: TERMS,
    from: 'Math.min(...set) / 4',
    to: 'Math.min(...set)',
    tests: pure,
  },
  {
    rule: 'limits: a loop learns when to look next',
    file: TERMS,
    from: 'return Math.max(0, Math.min(phaseLeft, ageLeft));',
    to: 'return Math.max(phaseLeft, ageLeft);',
    tests: pure,
  },
  {
    rule: 'limits: a thread with a limit on age does not sleep for ever',
    file: TERMS,
    from: 'if (limits.age === 0) return limits.idle;',
    to: 'if (limits.age >= 0) return limits.idle;',
    tests: pure,
  },
  {
    rule: 'limits: an answer restarts the idle time',
    file: ROSTER,
    from: '(this.#mark[slot]! & SINCE_LOOK) !== 0',
    to: '(this.#mark[slot]! & SINCE_LOOK) < 0',
    tests: pure,
  },
  {
    rule: 'limits: time in which the loop was held up is not the peer’s',
    file: ROSTER,
    from: 'this.#since[slot]! += heldUp;',
    to: '',
    tests: pure,
  },
  {
    rule: 'limits: a dry run counts a silence once',
    file: ROSTER,
    from: 'this.#since[slot] = isEnded ? now : NEVER;',
    to: 'this.#since[slot] = now;',
    tests: pure,
  },
  {
    rule: 'limits: an age is counted once, for any number of looks',
    file: ROSTER,
    from: 'this.#isAgeCounted[slot] = 1;',
    to: '',
    tests: pure,
  },
  {
    rule: 'limits: a client that asks without a pause is looked at in the next turn too',
    file: ROSTER,
    from: 'if (this.#wasAgain) this.#next = now;',
    to: '',
    tests: [...pure, 'test/limits/limits.test.ts'],
  },
  {
    rule: 'limits: the total of unsent bytes is limited',
    file: CLIENTS,
    from: "unsentOfAll() > limits.unsentTotal && exceeded('unsent-total')",
    to: "unsentOfAll() > limits.unsentTotal && !exceeded('unsent-total')",
    tests: pure,
  },
  {
    rule: 'limits: a client gives its unsent bytes back at its end',
    file: CLIENTS,
    from: 'this.unsent(slot, 0);',
    to: '',
    tests: pure,
  },
  {
    rule: 'limits: a client gives its place back at its end',
    file: CLIENTS,
    from: 'release(this.#holds[slot]!);',
    to: '',
    tests: pure,
  },
  {
    rule: 'drain: an idle connection is read once more before it is closed',
    file: DRAIN,
    from: 'if (phase === IDLE) return LOOK;',
    to: 'if (phase === IDLE) return END;',
    tests: pure,
  },
  {
    rule: 'drain: an unfinished question gets a quarter of a second',
    file: DRAIN,
    from: 'now - this.#stopsSince >= UNFINISHED_MS',
    to: 'now - this.#stopsSince >= 100 * UNFINISHED_MS',
    tests: pure,
  },
  {
    rule: 'drain: a client that waits for an answer stays until the end',
    file: DRAIN,
    from: 'const isUnfinished = phase === QUESTION || phase === PREAMBLE;',
    to: 'const isUnfinished = true;',
    tests: pure,
  },
  {
    rule: 'drain: when its time is over each connection is closed',
    file: DRAIN,
    from: 'if (this.isOver(now)) return END;',
    to: '',
    tests: pure,
  },
  {
    rule: 'drain: a second stop may bring the end nearer',
    file: DRAIN,
    from: 'else if (this.#orders.left <= 0) return true;',
    to: '',
    tests: pure,
  },
  {
    rule: 'drain: a stop after a restart gives no connection more time',
    file: DRAIN,
    from: 'return now >= this.#end;',
    to: "return order === 'restart' && now >= this.#end;",
    tests: pure,
  },
  {
    rule: 'drain: a connection closed inside a question or an answer counts as cut off',
    file: DRAIN,
    from: "if (phase !== IDLE) this.#orders.count('cut');",
    to: "if (phase === IDLE) this.#orders.count('cut');",
    tests: pure,
  },
  {
    rule: 'drain: a connection that had its answer since then counts as answered',
    file: CLIENTS,
    from: 'this.#roster.isAnsweredSinceLeaving(slot)',
    to: 'false',
    tests: pure,
  },
  {
    rule: 'restart: no idle connection is closed',
    file: DRAIN,
    from: "if (this.#orders.order !== 'stop') return STAY;",
    to: '',
    tests: pure,
  },
  {
    rule: 'restart: its time counts from when the worker noticed',
    file: DRAIN,
    from: 'if (this.#since < 0) this.#since = now;',
    to: 'this.#since = now;',
    tests: pure,
  },
  {
    rule: 'restart: workers of older generations leave, and not those of the newest',
    file: SCOREBOARD,
    from: 'if (generation < serving) return',
    to: 'if (generation <= serving) return',
    tests: pure,
  },
  {
    rule: 'restart: workers of a generation that could not start leave',
    file: SCOREBOARD,
    from: "return isWithdrawn ? 'restart' : 'serve';",
    to: "return 'serve';",
    tests: pure,
  },
  {
    rule: 'restart: a restart during another one comes after it',
    file: SUPERVISOR,
    from: 'this.#nextRestart ??= this.#restarting',
    to: 'if (this.#closing === undefined) return this.#restarting;\n    this.#nextRestart ??= this.#restarting',
    tests: restarts,
  },
  {
    rule: 'restart: four generations may leave at once, and no more',
    file: SUPERVISOR,
    from: 'while (this.#generationsLeaving() >= MOST_GENERATIONS - 1) await this.#nextEnd();',
    to: '',
    tests: restarts,
  },
  {
    rule: 'restart: if it fails, the new workers end',
    file: SUPERVISOR,
    from: 'this.#scoreboard.withdraw(generation, this.#plan.drain);',
    to: 'if (this.#closing === undefined) return;',
    tests: restarts,
  },
  {
    rule: 'restart: a restart that is starting does not undo a stop',
    file: SUPERVISOR,
    from: 'if (this.#closing !== undefined) throw stopping();\n    if (plan.stuck',
    to: 'if (plan.stuck',
    tests: restarts,
  },
  {
    rule: 'restart: a worker that dies while it is leaving is not replaced',
    file: SUPERVISOR,
    from: 'const mayReplace = killing === undefined && this.#closing === undefined;',
    to: 'const mayReplace = this.#closing === undefined;',
    tests: restarts,
  },
  {
    rule: 'restart: a worker that never ends is killed when its time is over',
    file: SHUTDOWN,
    from: "worker.child.kill('SIGKILL');",
    to: '',
    tests: [...restarts, 'test/leaving/killed.test.ts', 'test/leaving/closing.test.ts'],
  },
];

const root = join(import.meta.dirname, '..');
for (const { rule, file, from } of mutations) {
  if (readFileSync(join(root, file), 'utf8').split(from).length !== 2) {
    throw new Error(
      `Cannot break "${rule}": "${from}" is not there once in ${file}; adapt tools/mutate.ts`,
    );
  }
}
const [word = ''] = process.argv.slice(2);
if (word === '--where') process.exit();

const folder = mkdtempSync(join(tmpdir(), 'mondo-mutate-'));

/** The full name of the first test that fails, or undefined. */
function firstFailure(tests: readonly string[]): string | undefined {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  spawnSync(
    process.execPath,
    [
      ...[join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', '!long', '--bail', '1'],
      ...['--reporter=json', `--outputFile=${report}`, ...tests],
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  interface Report {
    readonly success: boolean;
    readonly testResults: readonly {
      readonly name: string;
      readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
    }[];
  }
  const { success, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed !== undefined) return `${name.slice(folder.length + 1)}: ${failed.fullName}`;
  }
  if (!success) throw new Error(`No test has failed, but ${tests} cannot be loaded: adapt "to"`);
  return undefined;
}

try {
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' });
  for (const file of files.trim().split('\n')) {
    cpSync(join(root, file), join(folder, file), { force: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const chosen = mutations.filter(({ rule }) => rule.includes(word));
  for (const tests of new Set(chosen.map((mutation) => mutation.tests))) {
    const failure = firstFailure(tests);
    if (failure !== undefined) throw new Error(`It fails with nothing broken: ${failure}`);
  }
  let survived = 0;
  for (const { rule, file, from, to, tests } of chosen) {
    const source = readFileSync(join(root, file), 'utf8');
    writeFileSync(
      join(folder, file),
      source.replace(from, () => to),
    );
    const failure = firstFailure(tests);
    writeFileSync(join(folder, file), source);
    if (failure === undefined) survived++;
    console.log(`${rule}\n  ${failure ?? 'NO TEST FAILS'}`);
  }
  console.log(
    `${chosen.length - survived} of ${chosen.length} rules have a test that fails without them`,
  );
  process.exitCode = survived === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
