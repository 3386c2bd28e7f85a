# The chapter's servers in Python, one for each architecture with a counterpart there: as a reader of the
# chapter would write them, with the framing that all peers here have.

import os
import select
import socket
import socketserver
import sys
import threading

ANSWERS = {
    b'Beautiful is better than': b'Ugly.',
    b'Explicit is better than': b'Implicit.',
    b'Simple is better than': b'Complex.',
}
UNKNOWN = b'Error: unknown aphorism.'
LONGEST = max(map(len, ANSWERS))


def answers_to(data):
    """The answers to all whole questions, and the rest; a rest too long to be known need not be kept."""
    *questions, rest = data.split(b'?')
    return b''.join([ANSWERS.get(question, UNKNOWN) for question in questions]), rest[: LONGEST + 1]


def converse(client):
    rest = b''
    try:
        while data := client.recv(4096):
            answers, rest = answers_to(rest + data)
            if answers:
                client.sendall(answers)
    except OSError:
        pass  # the client is gone


def listen(host, port):
    listener = socket.create_server((host, port), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def say(listener):
    print('listening %s:%d' % listener.getsockname()[:2], flush=True)


def accept_forever(listener):
    while True:
        client, _ = listener.accept()
        with client:
            converse(client)


def single(host, port):
    listener = listen(host, port)
    say(listener)
    accept_forever(listener)


def threaded(host, port, threads=4):
    listener = listen(host, port)
    for _ in range(threads):
        threading.Thread(target=accept_forever, args=(listener,)).start()
    say(listener)


def prefork(host, port, processes=4):
    listener = listen(host, port)
    for _ in range(processes):
        if os.fork() == 0:
            accept_forever(listener)
    say(listener)
    while True:
        os.wait()


class Handler(socketserver.BaseRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        converse(self.request)


def framework(mixin):
    def serve(host, port):
        class Server(mixin, socketserver.TCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 1024
            max_children = 1024  # of the forking mixin, which has 40

        with Server((host, port), Handler) as server:
            server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            say(server.socket)
            server.serve_forever()

    return serve


def polling(host, port):
    """The loop of the chapter, on poll(2)."""
    listener = listen(host, port)
    listener.setblocking(False)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    clients, received, unsent = {listener.fileno(): listener}, {}, {}
    say(listener)
    while True:
        for fd, event in poll.poll():
            client = clients[fd]
            if client is listener:
                try:
                    client, _ = listener.accept()
                except OSError:
                    continue
                client.setblocking(False)
                clients[client.fileno()] = client
                received[client.fileno()] = unsent[client.fileno()] = b''
                poll.register(client, select.POLLIN)
                continue
            try:
                if event & select.POLLOUT:
                    unsent[fd] = unsent[fd][client.send(unsent[fd]) :]
                    if not unsent[fd]:
                        poll.modify(client, select.POLLIN)
                    continue
                data = client.recv(4096)
                if data:
                    answers, received[fd] = answers_to(received[fd] + data)
                    unsent[fd] = answers
                    if answers:
                        unsent[fd] = answers[client.send(answers) :]
                    if unsent[fd]:
                        poll.modify(client, select.POLLOUT)
                    continue
            except BlockingIOError:
                if unsent[fd]:
                    poll.modify(client, select.POLLOUT)
                continue
            except OSError:
                pass
            poll.unregister(fd)
            del clients[fd], received[fd], unsent[fd]
            client.close()


def streams(host, port):
    import asyncio

    async def handle(reader, writer):
        rest = b''
        try:
            while data := await reader.read(4096):
                answers, rest = answers_to(rest + data)
                writer.write(answers)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def main():
        server = await asyncio.start_server(handle, host, port, backlog=1024)
        say(server.sockets[0])
        await server.serve_forever()

    asyncio.run(main())


def asyncore_server(host, port):
    import asynchat  # in the library until Python 3.11
    import asyncore

    class Conversation(asynchat.async_chat):
        def __init__(self, client):
            super().__init__(client)
            self.set_terminator(b'?')
            self.question = b''

        def collect_incoming_data(self, data):
            self.question = (self.question + data)[: LONGEST + 1]

        def found_terminator(self):
            question, self.question = self.question, b''
            self.push(ANSWERS.get(question, UNKNOWN))

        def handle_error(self):
            self.handle_close()

    class Server(asyncore.dispatcher):
        def handle_accepted(self, client, _):
            Conversation(client)

    listener = listen(host, port)
    server = Server(listener)
    server.accepting = True
    say(listener)
    asyncore.loop(use_poll=True)


def super_server(wait):
    """An inetd in Python in front of this very file: its program is started as any inetd starts it."""

    def serve(host, port):
        import subprocess

        listener = listen(host, port)
        program = [sys.executable, __file__, 'wait' if wait else 'nowait']
        say(listener)
        while True:
            if wait:
                select.select([listener], [], [])
                subprocess.run(program, stdin=listener)
                continue
            client, _ = listener.accept()
            with client:
                started.append(subprocess.Popen(program, stdin=client))
            started[:] = [process for process in started if process.poll() is None]

    started = []
    return serve


def on_standard_input(mode):
    with socket.socket(fileno=0) as standard_input:
        if mode == 'nowait':
            return converse(standard_input)
        standard_input.settimeout(8)
        try:
            while True:
                client, _ = standard_input.accept()
                client.settimeout(None)
                with client:
                    converse(client)
        except TimeoutError:
            pass


servers = {
    'single': single,
    'threaded': threaded,
    'prefork': prefork,
    'socketserver': framework(socketserver.ThreadingMixIn),
    'forking': framework(socketserver.ForkingMixIn),
    'poll': polling,
    'streams': streams,
    'asyncore': asyncore_server,
    'inetd': super_server(wait=False),
    'inetd-wait': super_server(wait=True),
}

if sys.argv[1:] in (['wait'], ['nowait']):
    on_standard_input(sys.argv[1])
elif len(sys.argv) == 4 and sys.argv[1] in servers:
    servers[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
else:
    sys.exit('usage: chapter.py %s HOST PORT' % '|'.join(servers))
