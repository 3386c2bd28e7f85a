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

test('every attack reaches its intensity on a server that stands, gets no wrong answer, and leaves nothing behind', async () => {
  for (const attack of attacks) {
    const { server, target } = await start(attack.server?.service);
    const before = holdings();
    const running = await attack.start(target);
    await until(`${attack.name} to reach its intensity`, () => {
      const intensity = running.intensity();
      // Of what an attack does not do by mistake, its connections would say that it was prevented.
      return isEnough(intensity) && intensity.reached >= intensity.wanted / 2;
    });
    expect(running.intensity().wrong, attack.name).toBe(0);
    await running.stop();
    // A killed worker takes its pipe to this process along, and the next one brings another, a moment later.
    if (attack.isInside) {
      await until('a worker again', () => holdings().length === before.length);
    } else expect(holdings(), attack.name).toEqual(before);
    await server.close({ deadline: 0 });
  }
});

test('a wrong answer is noticed', async () => {
  // To the Zen service the question that burns is one that it does not know.
  const { server, target } = await start();
  const running = await attackNamed('burn')!.start(target);
  await until('the answer to be found wrong', () => running.intensity().wrong > 0);
  await running.stop();
  await server.close({ deadline: 0 });
});

test('an attack that nobody answers falls short', async () => {
  const { server, target } = await start();
  await server.close({ deadline: 0 });
  const running = await attackNamed('idle-crowd')!.start(target);
  expect(running.intensity()).toMatchObject({ reached: 0, prevented: 0, wanted: 40 });
  await running.stop();
});

test('attackers in a process of their own say how hard they hit, and end when they are told', async () => {
  const { server, target } = await start();
  await using attacker = await Attacker.start();
  const running = await attacker.attack(attackNamed('idle-crowd')!, target);
  await until('the crowd to be there', () => running.intensity().reached === 40);
  await until('the server to have it', () => server.workers()[0]!.open >= 40);
  await running.stop();
  await until('the crowd to have left', () => server.workers()[0]!.open === 0);
  await server.close({ deadline: 0 });
});

test('the thread bomb is for those who start a thread or process for each client', async () => {
  const { isFor } = attackNamed('thread-bomb')!;
  expect(isFor).toBe(costsAThread);
  const meant = async (name: Parameters<typeof loadArchitecture>[0]) =>
    isFor!(await loadArchitecture(name));
  expect(await meant('socketserver')).toBe(true);
  expect(await meant('inetd')).toBe(true);
  expect(await meant('queued')).toBe(false);
  expect(await meant('epoll')).toBe(false);
});
