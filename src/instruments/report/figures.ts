/** Numbers as people read them: times, counts, shares, sizes. One spelling for all instruments. */

/** A duration given in ms, with three significant digits and the unit that fits: 64 µs, 5.23 ms, 12.3 s, 1234 s. */
export const time = (ms: number): string => rounded(ms, 3);

/** The same of ns. */
export const nanoseconds = (ns: number, digits = 3): string => rounded(ns / 1e6, digits);

function rounded(ms: number, digits: number): string {
  if (ms === 0) return '0 ms';
  const text = (value: number) =>
    String(value >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits)));
  // What would be rounded to 1000 has the next unit.
  const most = 1000 - 10 ** (3 - digits) / 2;
  if (ms * 1000 < most) return `${text(ms * 1000)} µs`;
  return ms < most ? `${text(ms)} ms` : `${text(ms / 1000)} s`;
}

/** A duration given in ms, or a dash if there is none. */
export const timeOr = (ms: number | null): string => (ms === null ? '–' : time(ms));

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

/** With three significant digits: 1.25 MiB, 86 MiB, 1,234 MiB. */
export const mebibytes = (bytes: number): string => {
  const size = bytes / 2 ** 20;
  return `${count(size < 1000 ? Number(size.toPrecision(3)) : size)} MiB`;
};

export const seconds = (s: number): string => `${Number(s.toFixed(1))} s`;

/** `1 connection`, `2 connections`. */
export const several = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** `1 min 20 s` */
export function minutes(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
}
