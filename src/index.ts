/** The public door of the package: re-exports only. */
export { type Client, type ConnectOptions, connect } from './client/client.ts';
export { ClientError, type ClientErrorKind } from './client/errors.ts';
export { ServeError } from './host/errors.ts';
export type { ServeOptions } from './host/plan.ts';
export { serve } from './host/serve.ts';
export type { Server } from './host/server.ts';
export { eventText, type ServerEvent } from './host/server-event.ts';
export type { Limits } from './limits/limits.ts';
export type * from './load/plan.ts';
export { measuredSeconds, planOf, warmUpSeconds } from './load/plan.ts';
export type * from './load/result.ts';
export { runLoad } from './load/run.ts';
export type { Answer, Dialogue, Protocol, Service } from './protocol/service.ts';
