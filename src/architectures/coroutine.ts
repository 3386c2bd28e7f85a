/**
 * Node's own loop waits, and each conversation is an async function that reads like `single`: `await`
 * stands where that one would block, and gives the thread back to the loop meanwhile. An answer that
 * takes long without awaiting still holds up everyone.
 */
import type { Socket } from 'node:net';
import { setImmediate as othersTurn, setTimeout as sleep } from 'node:timers/promises';
import { serveOnNode } from '../drivers/node/loop.ts';
import { phaseOf, StreamReader, StreamWriter } from '../drivers/node/streams.ts';
import type { Watch } from '../drivers/node/watch.ts';
import { GONE, IDLE } from '../lifecycle/phase.ts';
import { accountOf, type Ending } from '../protocol/account.ts';
import type { Conversation, Turn } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import type { Architecture, WorkerContext } from '../worker/contract.ts';

/** The answers of whichever conversation runs: none of them awaits with something in it. */
const out = new Outbox();

async function handleConversation(
  socket: Socket,
  peer: string,
  worker: WorkerContext,
  watch: Watch,
) {
  const reader = new StreamReader(socket);
  const writer = new StreamWriter(socket, watch.backlog);
  const conversation = worker.conversation();
  const { departure } = worker;
  let cause: Ending['cause'] = 'end of stream';
  let endedFor: Ending['cause'] | undefined;
  const place = watch.add({
    // Where an answer is awaited, the client's leaving is noticed by nobody else.
    phase: () => (socket.destroyed ? GONE : phaseOf(conversation, writer)),
    endAfterAnswer: (limit) => conversation.endAfterAnswer(limit),
    endFor(reason) {
      endedFor = reason;
      socket.destroy();
    },
  });
  const answered = () => watch.mark(place);
  try {
    let isOpen = await goOn(conversation, conversation.open(out), writer, answered);
    while (isOpen) {
      const data = await reader.read();
      if (data === undefined) break;
      const turn = conversation.receive(data, 0, data.length, out);
      isOpen = await goOn(conversation, turn, writer, answered);
      // Whoever has its answer is ended before it asks again, as the worker leaves.
      if (departure.endsIdle && reader.isEmpty && phaseOf(conversation, writer) === IDLE) {
        watch.noteAnswered(place);
        endedFor = departure.cause;
        break;
      }
    }
    await writer.close();
  } catch (error) {
    cause = error as Error;
  } finally {
    socket.destroy();
    writer.forget();
    watch.remove(place);
    if (worker.journal.on) {
      const ending = { cause: endedFor ?? cause, unsent: writer.unsent };
      worker.journal.record(accountOf(peer, conversation, ending));
    }
  }
}

/** Sends the answers and does what the conversation wants; false once it wants to close. */
async function goOn(
  conversation: Conversation,
  first: Turn,
  writer: StreamWriter,
  answered: () => void,
) {
  for (let turn = first; ; turn = conversation.resume(out)) {
    if (out.length > 0 || conversation.heldLength === 0) answered();
    if (out.length > 0) {
      writer.write(out);
      await writer.drain();
    }
    if (turn === undefined) return true;
    if (turn === 'close') return false;
    // A timer of 0 ms would take one.
    if (turn === 0) await othersTurn();
    else if (typeof turn === 'number') await sleep(turn);
    else if (turn !== 'full') await turn;
  }
}

export const coroutine: Architecture = {
  name: 'coroutine',
  chapter: 'srv_asyncio2',
  processModel: 'one thread',
  ioModel: "Node's own loop, async functions",
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'node',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(worker) {
    return serveOnNode(
      worker,
      (socket, peer, watch) => void handleConversation(socket, peer, worker, watch),
    );
  },
};
