/** An event of the Trace Event Format, which Perfetto opens. No Node and no DOM in here. */

/** Times in µs. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M' | 'C' | 'b' | 'e' | 'n';
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}
