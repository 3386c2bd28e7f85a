import { expect, test } from 'vitest';
import { holdings } from '../../../test/support/kernel.ts';
import { until } from '../../../test/support/until.ts';
import { loadArchitecture } from '../../architectures/catalogue.ts';
import { serve } from '../../host/serve.ts';
import { noLimits } from '../../limits/limits.ts';
import { Attacker } from './apart.ts';
import { attackNamed, attacks, costsAThread } from './attacks.ts';
import type { Target } from './hostile.ts';
import { isEnough } from './intensity.ts';

const start = async (service?: URL) => {
  const server = await serve({
    architecture: 'epoll',
    port: 0,
    limits: noLimits,
    ...(service === undefined ? {} : { service }),
  });
  const target: Target = { port: server.port, crowd: 40, rate: 200, pids: () => server.pids };
  return { server, target };
};

test('every attack reaches its intensity on a healthy server, gets no wrong answer, and leaves nothing behind', async () => {
  for (const attack of attacks) {
    const { server, target } = await start(attack.server?.service);
    const before = holdings();
    const running = await attack.start(target);
    await until(`${attack.name} to reach its intensity`, () => {
      const intensity = running.intensity();
      // Work that an attack misses by mistake would count as prevented.
      return isEnough(intensity) && intensity.reached >= intensity.wanted / 2;
    });
    expect(running.intensity().wrong, attack.name).toBe(0);
    await running.stop();
    // A killed worker closes its pipe to this process, and its successor opens one a moment later.
    if (attack.isInside) {
      await until('the next worker to start', () => holdings().length === before.length);
    } else expect(holdings(), attack.name).toEqual(before);
    await server.close({ deadline: 0 });
  }
});

test('a wrong answer is noticed', async () => {
  // The Zen service does not know the question of `burn`.
  const { server, target } = await start();
  const running = await attackNamed('burn')!.start(target);
  await until('the wrong answer', () => running.intensity().wrong > 0);
  await running.stop();
  await server.close({ deadline: 0 });
});

test('an attack on a server that does not answer falls short', async () => {
  const { server, target } = await start();
  await server.close({ deadline: 0 });
  const running = await attackNamed('idle-crowd')!.start(target);
  expect(running.intensity()).toMatchObject({ reached: 0, prevented: 0, wanted: 40 });
  await running.stop();
});

test('a separate attacker process reports its intensity, and stops on order', async () => {
  const { server, target } = await start();
  await using attacker = await Attacker.start();
  const running = await attacker.attack(attackNamed('idle-crowd')!, target);
  await until('the crowd to connect', () => running.intensity().reached === 40);
  await until('the server to accept it', () => server.workers()[0]!.open >= 40);
  await running.stop();
  await until('the crowd to leave', () => server.workers()[0]!.open === 0);
  await server.close({ deadline: 0 });
});

test('the thread bomb is meant for architectures that start a thread or process for each client', async () => {
  const { isFor } = attackNamed('thread-bomb')!;
  expect(isFor).toBe(costsAThread);
  const meant = async (name: Parameters<typeof loadArchitecture>[0]) =>
    isFor!(await loadArchitecture(name));
  expect(await meant('socketserver')).toBe(true);
  expect(await meant('inetd')).toBe(true);
  expect(await meant('queued')).toBe(false);
  expect(await meant('epoll')).toBe(false);
});
