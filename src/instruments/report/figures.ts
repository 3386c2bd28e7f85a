/** Numbers as people read them: times, counts, shares, sizes. One spelling for all instruments. */

/** A duration given in ms, with three significant digits and the unit that fits: 64 µs, 5.23 ms, 12.3 s. */
export function time(ms: number): string {
  if (ms === 0) return '0 ms';
  if (ms < 0.9995) return `${digits(ms * 1000)} µs`;
  return ms < 999.5 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`;
}

/** The same, or a dash where there is none. */
export const timeOr = (ms: number | null): string => (ms === null ? '–' : time(ms));

const digits = (value: number) => String(Number(value.toPrecision(3)));

/** 1234567 as 1,234,567; with decimals below 100, where they say something. */
export const count = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 });

/** A share from 0 to 1. Never 100 % for what is not all, nor 0 % for what is not nothing. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 99.9 && value < 100) return `${Math.floor(value * 1000) / 1000} %`;
  if (value > 0 && value < 0.01) return 'less than 0.01 %';
  return `${Number(value.toFixed(value < 10 ? 2 : 1))} %`;
}

export const mebibytes = (bytes: number): string => `${count(bytes / 2 ** 20)} MiB`;

export const seconds = (s: number): string => `${Number(s.toFixed(1))} s`;

/** `1 connection`, `2 connections`. */
export const several = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;
