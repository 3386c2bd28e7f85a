/** The public entry of the package: re-exports only. */
/// <reference types="node" preserve="true" />

import './host/not-bundled.ts';

export type { ArchitectureName } from './architectures/catalogue.ts';
export type { ServerState } from './host/admin/view.ts';
export { ServeError } from './host/errors.ts';
export type { RestartOptions, ServeOptions } from './host/plan.ts';
export { serve } from './host/serve.ts';
export type { Server } from './host/server.ts';
export { eventText, type ServerEvent } from './host/server-event.ts';
export type { ProxyOptions } from './host/worker/proxies.ts';
export { type Client, type ConnectOptions, connect } from './instruments/client/client.ts';
export { ClientError, type ClientErrorKind } from './instruments/client/errors.ts';
export type * from './instruments/load/plan.ts';
export { measuredSeconds, warmUpSeconds } from './instruments/load/plan.ts';
export type * from './instruments/load/result.ts';
export { runLoad } from './instruments/load/run.ts';
export { planOf } from './instruments/load/schema.ts';
export type { Run } from './instruments/load/state.ts';
export type { Limits } from './limits/limits.ts';
export type { SocketAddress } from './os/address.ts';
export type { AcceptQueue } from './os/socket.ts';
export type { ConversationEvent } from './protocol/account.ts';
export type { PeerTls } from './protocol/proxy-extras.ts';
export type {
  Answer,
  AnswerWriter,
  Dialogue,
  DirectDialogue,
  Life,
  Peer,
  Protocol,
  Service,
  ServiceContext,
  Shared,
} from './protocol/service.ts';
export { defineService } from './protocol/service.ts';
export type { WorkerEvent } from './worker/contract.ts';
export type { RowReading } from './worker/scoreboard.ts';
