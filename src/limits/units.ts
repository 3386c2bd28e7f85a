/** Units of time on the command line and in a plan, in ms. Each reader defines which units it accepts. */
export const MS_IN = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
