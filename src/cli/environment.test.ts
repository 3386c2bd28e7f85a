import { expect, it } from 'vitest';
import { environmentOf } from './environment.ts';

const keys = ['port', 'threads', 'max-threads', 'limit', 'service'];
const read = (environment: Record<string, string>) => {
  const { given, warnings } = environmentOf(environment, keys);
  return { given: Object.fromEntries(given), warnings };
};

it('reads options by their names, the architecture and the host', () => {
  const environment = { MONDO_MAX_THREADS: '7', MONDO_ARCHITECTURE: 'epoll', MONDO_HOST: '::1' };
  expect(read({ ...environment, THREADS: '3', mondo_threads: '3' })).toEqual({
    given: { 'max-threads': ['7'], architecture: ['epoll'], host: ['::1'] },
    warnings: [],
  });
});

it('takes an empty variable for none', () =>
  expect(read({ MONDO_HOST: '', MONDO_THREADS: '' })).toEqual({ given: {}, warnings: [] }));

it('separates limits, but not the networks of one', () =>
  expect(read({ MONDO_LIMIT: 'idle=5s,allow=10.0.0.0/8,::1/128,age=1m' }).given).toEqual({
    limit: ['idle=5s', 'allow=10.0.0.0/8,::1/128', 'age=1m'],
  }));

it('ignores what Kubernetes sets for a Service with the name "mondo", with a line for the port', () => {
  const service = {
    MONDO_SERVICE_HOST: '10.0.0.1',
    MONDO_SERVICE_PORT: '1060',
    MONDO_PORT: 'tcp://10.0.0.1:1060',
    MONDO_PORT_1060_TCP: 'tcp://10.0.0.1:1060',
    MONDO_PORT_1060_TCP_PROTO: 'tcp',
    MONDO_PORT_1060_TCP_PORT: '1060',
    MONDO_PORT_1060_TCP_ADDR: '10.0.0.1',
  };
  expect(read(service)).toEqual({
    given: {},
    warnings: [
      'Ignored MONDO_PORT=tcp://10.0.0.1:1060: it is the address of a Service of Kubernetes; give the port as --port or in the file',
    ],
  });
  expect(read({ MONDO_PORT: '1070' }).given).toEqual({ port: ['1070'] });
});

it('ignores variables of other commands, and warns of one that is almost an option', () =>
  expect(read({ MONDO_SHARDS: '4', MONDO_TRACE: 'x', MONDO_THREAD: '2' })).toEqual({
    given: {},
    warnings: ['Ignored MONDO_THREAD: do you mean MONDO_THREADS?'],
  }));
