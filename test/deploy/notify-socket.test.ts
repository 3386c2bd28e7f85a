/** The socket of the reports, against a real receiver. */
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { check, libc } from '../../src/os/libc.ts';
import { NotifySocket, notifyAddress } from '../../src/os/notify.ts';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { PATIENCE, until } from '../support/until.ts';

const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) close(fd);
});

describe('notifyAddress', () => {
  it('knows paths and abstract names, and nothing else', () => {
    expect([...notifyAddress('/a')!]).toEqual([1, 0, 47, 97, 0]);
    expect([...notifyAddress('@a')!]).toEqual([1, 0, 0, 97]);
    expect(notifyAddress(`/${'a'.repeat(106)}`)).toHaveLength(110);
    for (const text of ['', '@', '/', 'a', 'vsock:2:1', `/${'a'.repeat(107)}`]) {
      expect(notifyAddress(text)).toBeUndefined();
    }
  });
});

describe('NotifySocket', () => {
  it.each([true, false])('sends to an abstract name: %s', async (isAbstract) => {
    using manager = new NotifyRecorder(isAbstract);
    const socket = new NotifySocket(notifyAddress(manager.name)!);
    socket.send('READY=1\nSTATUS=é');
    await until('the message', () => manager.datagrams.length > 0);
    expect(manager.datagrams[0]!.fields).toEqual({ READY: '1', STATUS: 'é' });
    socket.close();
  });

  it('passes descriptors', async () => {
    using manager = new NotifyRecorder();
    const socket = new NotifySocket(notifyAddress(manager.name)!);
    const loopback = { family: 'IPv4', host: '127.0.0.1', port: 0 } as const;
    const listeners = [1, 2, 3].map(() => openListener(loopback, { backlog: 1 }));
    socket.send('FDSTORE=1', listeners);
    const addresses = listeners.map(localAddress);
    listeners.forEach(close);
    const { descriptors } = await manager.has('FDSTORE');
    expect(descriptors.map(localAddress)).toEqual(addresses);
    socket.close();
  });

  it('keeps messages in order while the queue of the manager is full', async () => {
    using manager = new NotifyRecorder();
    const socket = new NotifySocket(notifyAddress(manager.name)!);
    // More than net.unix.max_dgram_qlen, of which 10 is the default: the manager reads only in its next turn.
    const texts = Array.from({ length: 40 }, (_, i) => `STATUS=${i}`);
    for (const text of texts) socket.send(text);
    await until('all of them', () => manager.datagrams.length === texts.length);
    expect(manager.datagrams.map(({ fields }) => `STATUS=${fields.STATUS}`)).toEqual(texts);
    socket.close();
  });

  it('keeps no process alive whose manager does not read', async () => {
    using manager = new NotifyRecorder();
    const module = new URL('../../src/os/notify.ts', import.meta.url).href;
    const program = `import { NotifySocket, notifyAddress } from '${module}';
      const socket = new NotifySocket(notifyAddress('${manager.name}'));
      for (let i = 0; i < 2000; i++) socket.send('STATUS=' + i);`;
    // The recorder reads in a turn of this process, which now waits for the other one.
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      timeout: PATIENCE,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('ignores that no manager is there, and sends nothing once it is closed', async () => {
    const manager = new NotifyRecorder();
    const address = notifyAddress(manager.name)!;
    manager[Symbol.dispose]();
    const socket = new NotifySocket(address);
    socket.send('READY=1');
    socket.close();
    socket.close();
    socket.send('READY=1');
    // The lowest free descriptor is free again, and belongs to its new owner.
    const own = openSync('/dev/null', 'r');
    open.push(own);
    socket.close();
    expect(check('fcntl', libc.fcntl(own, 1, 0))).toBe(1);
  });
});
