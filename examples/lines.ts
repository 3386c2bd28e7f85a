/**
 * A calculator, line by line: reverse Polish notation in, the result out. Lines end in LF, or in
 * CRLF, and the answer's line ends like the question's.
 */
import type { Service } from '../src/index.ts';

const operators: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

function calculate(text: string): string {
  const stack: number[] = [];
  for (const word of text.split(/\s+/).filter((word) => word !== '')) {
    const operator = Object.hasOwn(operators, word) ? operators[word] : undefined;
    if (operator !== undefined) {
      const b = stack.pop();
      const a = stack.pop();
      if (a === undefined || b === undefined) return `error: "${word}" needs two numbers`;
      stack.push(operator(a, b));
    } else if (/^-?\d+(\.\d+)?$/.test(word)) stack.push(Number(word));
    else return `error: "${word}" is neither a number nor one of + - * /`;
  }
  return stack.length === 1 ? String(stack[0]) : `error: ${stack.length} numbers are left, not one`;
}

const lines: Service = {
  shared: 'none',
  delimiter: '\n',
  answer(question) {
    const ending = question.endsWith('\r\n') ? '\r\n' : '\n';
    return calculate(question.slice(0, -ending.length)) + ending;
  },
};

export default lines;
