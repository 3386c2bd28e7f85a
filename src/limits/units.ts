/** Units of time as people write them on a command line and in a plan, in ms. Who reads them says which it takes. */
export const MS_IN = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
