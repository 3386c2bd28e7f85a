import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { parse } from 'acorn';
import { expect, test } from 'vitest';
import { instrument, RECORDER } from './instrument.ts';
import { NO_LINE, recorderInto } from './recorder.ts';
import type { TraceRecord } from './records.ts';

/** Runs an instrumented function body. Returns its result and the records of it. */
function run<T>(body: string) {
  const told: TraceRecord[] = [];
  let t = 0;
  const recorder = recorderInto({
    report: (record) => void told.push(record),
    now: () => t++,
    isBusy: false,
  });
  const text = instrument(`function main() {${body}\n}\nglobalThis.made = main;`, 1);
  const make = new Function(RECORDER, `${text}; return main();`);
  const result = make(recorder) as T;
  return {
    result,
    /** Lines that were reached; negative where a `yield` or `await` resumed. */
    get lines() {
      return told.flatMap((record) =>
        record.kind === 'line' ? [record.line] : record.kind === 'resume' ? [-record.line] : [],
      );
    },
    /** Numbers and lines of functions that were set aside. */
    get asides() {
      return told.flatMap((record) =>
        record.kind === 'aside' ? [[record.frame, record.line]] : [],
      );
    },
    names: told.flatMap((record) => (record.kind === 'enter' ? [record.name] : [])),
    /** The line that runs after each function that returned or gave up the thread. */
    get back() {
      return told.flatMap((record) =>
        record.kind === 'back' ? [record.module === NO_LINE ? 'none' : record.line] : [],
      );
    },
  };
}

test('each statement is reported before it runs', () => {
  const { lines, names, result } = run<number>(`
    const a = 1;
    const b = double(a);
    return a + b;
    function double(x) {
      return 2 * x;
    }`);
  expect(result).toBe(3);
  expect(lines).toEqual([2, 3, 6, 4]);
  expect(names).toEqual(['main', 'double']);
});

test('a loop is reported in each turn', () => {
  const { lines, result } = run<number>(`
    let sum = 0;
    for (let i = 0; i < 2; i++) {
      sum += i;
    }
    while (sum < 3)
      sum++;
    for (;;) {
      if (sum++ > 3) break;
    }
    for (const x of [1, 2])
      sum += x;
    do sum++;
    while (sum < 10)
    return sum;`);
  expect(result).toBe(10);
  const for3 = [3, 4, 3, 4, 3];
  const while6 = [6, 7, 6, 7, 6];
  expect(lines).toEqual([2, ...for3, ...while6, 8, 9, 8, 9, 11, 11, 12, 11, 12, 14, 14, 15]);
});

test('conditions, switches, labels and exceptions work as before', () => {
  const { lines, result } = run<string>(`
    let text = '';
    outer: for (const x of [1, 2, 3]) {
      if (x === 1) text += 'one';
      else if (x === 2)
        continue outer;
      else {
        text += 'three';
      }
      switch (x) {
        case 1:
          text += '!';
          break;
        default: text += '?';
      }
    }
    try {
      throw new Error('thrown');
    } catch (error) {
      text += error.message;
    } finally {
      text += '.';
    }
    return text;`);
  expect(result).toBe('one!three?thrown.');
  const one = [3, 4, 10, 12, 13];
  const two = [3, 4, 5, 6];
  const three = [3, 4, 5, 8, 10, 14];
  // Reached once, and again in each turn.
  expect(lines).toEqual([2, 3, ...one, ...two, ...three, 17, 18, 20, 22, 24]);
});

test('a generator reports where it gives up the thread and where it resumes', () => {
  const { lines, result } = run<number[]>(`
    function* count() {
      const got = yield 1;
      yield got + 1;
    }
    const counting = count();
    return [counting.next().value, counting.next(5).value, counting.next().done ? 0 : 1];`);
  expect(result).toEqual([1, 6, 0]);
  expect(lines).toEqual([6, 7, 3, -3, 4, -4]);
});

test('after a function, the line that called it runs again', () => {
  const { back } = run(`
    const twice = (x) => {
      return 2 * x;
    };
    const thrown = () => {
      throw new Error('no');
    };
    const sum = twice(1) +
      twice(2);
    try {
      thrown();
    } catch {
      twice(3);
    }`);
  expect(back).toEqual([8, 8, 11, 13, 'none']);
});

test('a generator that yields gives the thread back to its caller, together with its outer generators', () => {
  const { back, result } = run<number[]>(`
    function* inner() {
      yield 1;
      return 2;
    }
    function* outer() {
      const got = yield* inner();
      yield got;
    }
    const values = [];
    for (const value of outer())
      values.push(value);
    const left = outer();
    left.next();
    left.return();
    return values;`);
  expect(result).toEqual([1, 2]);
  // The inner generator ended, called on line 7 of the outer one. The others yielded to their loop, or were closed.
  expect(back).toEqual([11, 7, 12, 12, 14, 'none']);
});

test('a function that is set aside has a number, also when it goes on, and says if it is closed there', () => {
  const { asides } = run<number>(`
    const [one, two] = [inner(), inner()];
    one.next(); two.next();
    one.next();
    two.return();
    return 1;
    function* inner() {
      yield 1;
      yield 2;
    }`);
  expect(asides).toEqual([
    [1, 8],
    [2, 8],
    [1, 9],
    [2, 0],
  ]);
});

test('coroutines that are suspended at the same time keep their lines separate', async () => {
  const told = run<Promise<string>>(`
    const tick = () => new Promise((resolve) => setImmediate(resolve));
    const count = () => {
      return 1;
    };
    async function first() {
      await tick();
      count();
    }
    async function second() {
      await tick();
      await
        tick(count());
      return 'done';
    }
    return Promise.all([first(), second()]).then(([, text]) => text);`);
  expect(await told.result).toBe('done');
  // Both begin under line 16. Then count() returns in each, and after each no line runs.
  expect(told.back).toEqual([16, 16, 'none', 8, 'none', 12, 'none', 'none']);
});

test('an await keeps its value and its place in an expression', async () => {
  const told = run<Promise<number>>(`
    const later = async (x) => x;
    return (async () => {
      const sum = (await later(1)) + await later(2);
      return sum;
    })();`);
  expect(await told.result).toBe(3);
  expect(told.lines).toEqual([2, 3, 4, -4, -4, 5]);
});

test('methods, getters and functions are reported with their names', () => {
  const { names, lines, result } = run<number>(`
    class Box {
      #value = 0;
      constructor(value) { this.#value = value; }
      get value() {
        return this.#value;
      }
      #double() { return this.value * 2; }
      twice() { return this.#double(); }
    }
    const add = (a, b) => {
      return a + b;
    };
    const literal = { method() { return 1; } };
    return add(new Box(4).twice(), literal.method());`);
  expect(result).toBe(9);
  const called = ['constructor', 'twice', '#double', 'value', 'method', 'add'];
  expect(names).toEqual(['main', ...called]);
  expect(lines).toContain(6);
});

test("instrumenting keeps every line of Mondo's own modules in its place", () => {
  const source = join(import.meta.dirname, '..', '..');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?<!\.test)\.ts$/.test(name),
  );
  expect(files.length).toBeGreaterThan(80);
  for (const file of files) {
    const plain = stripTypeScriptTypes(readFileSync(join(source, file), 'utf8'));
    const text = instrument(plain, 1);
    parse(text, { ecmaVersion: 'latest', sourceType: 'module' });
    const after = text.split('\n');
    expect(after.length, file).toBe(plain.split('\n').length);
    // The call for a line stands on that line. For the head of a loop, it stands at the start of the body below.
    for (const [index, line] of after.entries()) {
      for (const [, told] of line.matchAll(/\.line\(1,(\d+)\)/g)) {
        const below = index + 1 - Number(told);
        const isHead = /\{__mondoTrace\.line\(/.test(line);
        expect(below, `${file}: ${line}`).toBeGreaterThanOrEqual(0);
        expect(below, `${file}: ${line}`).toBeLessThanOrEqual(isHead ? 8 : 0);
      }
    }
  }
});
