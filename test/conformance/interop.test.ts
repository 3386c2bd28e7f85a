/** Real counterparts: clients that are not Mondo's, with the behaviour of such programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram } from '../support/programs.ts';
import { drivers, Serving } from '../support/serving.ts';
import { PATIENCE, until, within } from '../support/until.ts';

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program to its end. */
async function run(program: string, args: readonly string[], input?: string): Promise<Outcome> {
  const child = spawn(program, args);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    output += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  child.stdin.end(input ?? '', 'latin1');
  const closed = once(child, 'close') as Promise<[number | null]>;
  try {
    const [code] = await within(PATIENCE, `${program} to end`, closed);
    return { code, output, errors };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** The chapter's client: one question after the other, each answer received up to its full stop. */
const PYTHON = `
import random, socket, sys

def recv_until(sock, suffix):
    message = sock.recv(4096)
    if not message:
        raise EOFError('socket closed')
    while not message.endswith(suffix):
        data = sock.recv(4096)
        if not data:
            raise IOError('received {!r} then socket closed'.format(message))
        message += data
    return message

def client(address, cause_error=False):
    sock = socket.create_connection(address, timeout=10)
    questions = [b'Beautiful is better than?', b'Explicit is better than?', b'Simple is better than?']
    random.shuffle(questions)
    if cause_error:
        sock.sendall(questions[0][:-1])
    else:
        for question in questions:
            sock.sendall(question)
            print(question.decode(), recv_until(sock, b'.').decode())
    print('{}:{}'.format(*sock.getsockname()[:2]))
    sock.close()

address = (sys.argv[1], int(sys.argv[2]))
client(address)
client(address, cause_error=True)
`;

const hasNc = hasProgram('nc', 'netcat-openbsd');
const hasPython = hasProgram('python3', 'python3');

// Every architecture has the same conversations with our own clients: conformance.test.ts.
describe.each(drivers)('$title', ({ options }) => {
  let serving: Serving;
  let port: string;
  beforeAll(async () => {
    serving = await Serving.start(options);
    port = serving.address.family === 'unix' ? '' : String(serving.address.port);
  });
  afterAll(() => serving.stop());

  it.skipIf(!hasNc)('answers nc, which half-closes at the end of its input', async () => {
    const input = 'Simple is better than?Beautiful is better than?What?\n';
    const { code, output } = await run('nc', ['-N', '127.0.0.1', port], input);
    expect(output).toBe('Complex.Ugly.Error: unknown aphorism.');
    expect(code).toBe(0);
    // The line end that a terminal adds after the last question is the beginning of another question.
    await until('the account of nc', () =>
      serving.events.some((event) => event.type === 'hungUp' && event.received === '\n'),
    );
  });

  it.skipIf(!hasPython)(
    "answers the chapter's client, and reports one that leaves mid-question",
    async () => {
      const { code, output, errors } = await run('python3', ['-c', PYTHON, '127.0.0.1', port]);
      expect(errors).toBe('');
      expect(code).toBe(0);
      const lines = output.trim().split('\n');
      expect(lines.slice(0, 3).sort()).toEqual([
        'Beautiful is better than? Ugly.',
        'Explicit is better than? Implicit.',
        'Simple is better than? Complex.',
      ]);
      await serving.expectAccount(lines[3]!, ['accepted', 'closed']);
      const left = lines[4]!;
      await until('its account', () => serving.accountOf(left).length === 2);
      expect(serving.accountOf(left)[1]).toMatch(
        /^hungUp (Beautiful|Explicit|Simple) is better than$/,
      );
    },
  );
});
