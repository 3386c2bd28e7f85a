import { expect, test } from 'vitest';
import { actionOf, bindings, onAction, perform } from './keys.ts';

const press = (key: string, change = {}) =>
  actionOf({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...change });

test('each key does one thing', () => {
  const keys = bindings.map(({ key, hasShift }) => `${hasShift ?? false} ${key}`);
  expect(new Set(keys).size).toBe(bindings.length);
  expect(new Set(bindings.map(({ action }) => action)).size).toBe(bindings.length);
  for (const { key, hasShift, action } of bindings) {
    expect(press(key, { shiftKey: hasShift ?? false })?.action).toBe(action);
  }
});

test('digits are scenes, and shift goes by seconds', () => {
  expect(press('4')).toEqual({ action: 'scene', key: '4' });
  expect(press('0')).toBeUndefined();
  expect(press('ArrowLeft')?.action).toBe('back');
  expect(press('ArrowLeft', { shiftKey: true })?.action).toBe('back-1s');
  expect(press('P', { shiftKey: true })?.action).toBe('projector');
});

test('keys of the browser stay its own', () => {
  expect(press('r', { ctrlKey: true })).toBeUndefined();
  expect(press('ArrowLeft', { altKey: true })).toBeUndefined();
  expect(press('l', { metaKey: true })).toBeUndefined();
});

test('the part of the page that came last has the key, until it goes', () => {
  const seen: string[] = [];
  expect(perform('restart')).toBe(false);
  const first = onAction('restart', () => seen.push('first'));
  const second = onAction('restart', (key) => seen.push(`second ${key}`));
  expect(perform('restart', 'r')).toBe(true);
  second();
  perform('restart');
  first();
  expect(perform('restart')).toBe(false);
  expect(seen).toEqual(['second r', 'first']);
});
