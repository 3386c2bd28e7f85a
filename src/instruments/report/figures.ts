/** Times, counts, shares and sizes as text. All instruments use the same format. */

/**
 * Formats a duration given in ms, with three significant digits and a suitable unit: 64 µs, 5.23
 * ms, 12.3 s, 1234 s.
 */
export const time = (ms: number): string => rounded(ms, 3);

/** Formats a duration given in ns in the same way. */
export const nanoseconds = (ns: number, digits = 3): string => rounded(ns / 1e6, digits);

function rounded(ms: number, digits: number): string {
  if (ms === 0) return '0 ms';
  const text = (value: number) =>
    String(value >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits)));
  // A value that would be rounded to 1000 gets the next unit.
  const most = 1000 - 10 ** (3 - digits) / 2;
  if (ms * 1000 < most) return `${text(ms * 1000)} µs`;
  return ms < most ? `${text(ms)} ms` : `${text(ms / 1000)} s`;
}

/** Formats a duration given in ms, or gives a dash for null. */
export const timeOr = (ms: number | null): string => (ms === null ? '–' : time(ms));

/** Formats 1234567 as 1,234,567. Values below 100 keep significant decimals. */
export const count = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 });

/** Formats a share from 0 to 1. Only exactly 1 is 100 %, and only exactly 0 is 0 %. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 99.9 && value < 100) return `${Math.floor(value * 1000) / 1000} %`;
  if (value > 0 && value < 0.01) return 'less than 0.01 %';
  return `${Number(value.toFixed(value < 10 ? 2 : 1))} %`;
}

/** Formats bytes with three significant digits: 1.25 MiB, 86 MiB, 1,234 MiB. */
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
