# Python's asyncio with a protocol class: the event loop calls data_received for each chunk that
# arrives. Protocols are asyncio's fast door; streams with async and await would cost more again.

import asyncio
import sys

ANSWERS = {
    b'Beautiful is better than': b'Ugly.',
    b'Explicit is better than': b'Implicit.',
    b'Simple is better than': b'Complex.',
}
UNKNOWN = b'Error: unknown aphorism.'
LONGEST = max(map(len, ANSWERS))


class Conversation(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport  # asyncio has set TCP_NODELAY
        self.unfinished = b''

    def data_received(self, data):
        *questions, unfinished = (self.unfinished + data).split(b'?')
        # A question that is already too long to be known may grow further, but need not be kept.
        self.unfinished = unfinished[: LONGEST + 1]
        if questions:
            self.transport.write(b''.join([ANSWERS.get(question, UNKNOWN) for question in questions]))

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main(host, port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Conversation, host, port, backlog=4096)
    print('listening %s:%d' % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()


if len(sys.argv) != 3:
    sys.exit('usage: asyncio-protocol.py HOST PORT')
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
