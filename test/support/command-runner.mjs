/**
 * A process that runs `mondo` again and again, each time with the arguments of a message. Its argument is the entry of
 * the built command. It answers with the end of each command: its exit code and what it printed.
 */
const entry = process.argv[2];
/** Signals that a command may listen for. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

let printed = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text, ...rest) => {
    printed[name] += text;
    rest.findLast((one) => typeof one === 'function')?.();
    return true;
  };
}

/** Number of sockets, timers and others that keep a process from ending. */
const held = () => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').length;

let runs = 0;
process.on('message', async ({ words, environment }) => {
  const before = held();
  printed = { stdout: '', stderr: '' };
  process.argv = [process.argv[0], entry, ...words];
  Object.assign(process.env, environment);
  // The module is the command: with another address it runs again.
  await import(`${entry}?${runs++}`);
  while (held() > before) await new Promise((resolve) => setImmediate(resolve));
  for (const name of Object.keys(environment)) delete process.env[name];
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error');
  for (const signal of SIGNALS) process.removeAllListeners(signal);
  process.send({ code: process.exitCode ?? 0, ...printed });
  process.exitCode = undefined;
});
process.send('ready');
