#!/usr/bin/env python3
"""500 exporters, piped to one hub every 15 s and scraped there as often, by the list that the hub gives.

    tests/bench/hub.py PROGRAM [SECONDS [TARGETS]]

PROGRAM is fanin; the hub and as many senders as the targets need, 63 pipes each, are started and ended here, as are the
exporters, all on loopback. Each exporter's page is tests/pages/node_exporter.prom. Told: pages taken and scraped, what was
wrong, resident memory of the hub and of the largest sender from time to time, and processor time of both. Exit code 1 if
anything was wrong, or the hub took more than 128 KiB of memory or 0.02 % of a core for a target.
"""
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 90
TARGETS = int(sys.argv[3]) if len(sys.argv) > 3 else 500
EVERY, PIPES, READERS = 15.0, 63, 20
HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "..", "pages", "node_exporter.prom"), "rb") as file:
    PAGE = file.read()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n" % len(PAGE)


async def export(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + PAGE)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass
    finally:
        writer.close()


class Program:
    """fanin with a configuration, its log read so that it never waits for that."""

    def __init__(self, folder, name, config):
        path = os.path.join(folder, name + ".json")
        with open(path, "w") as file:
            json.dump(config, file)
        words = [PROGRAM, "serve", "--config", path, "--log-format", "text"]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.ports, self.lines = [], []
        while len(self.ports) < len(config.get("servers", [])):
            line = self.process.stderr.readline()
            if "listening on " in line:
                self.ports.append(int(line.rsplit(":", 1)[1]))
        loop = asyncio.get_running_loop()
        self.log = loop.run_in_executor(None, lambda: self.lines.extend(self.process.stderr))

    def memory(self, key="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines[key].split()[0])

    def processor(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.process.terminate()
        self.process.wait()


class Reader:
    """A connection that is kept."""

    def __init__(self, port):
        self.port, self.streams = port, None

    async def get(self, path):
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
        return int(head.split(" ")[1]), await reader.readexactly(length)


def sender(port, exporters):
    name = lambda at: f"target{at}"
    return {
        "sources": {name(at): {"http": {"url": f"http://127.0.0.1:{own}/metrics"}} for at, own in exporters},
        "pipes": [
            {"from": name(at), "to": f"http://127.0.0.1:{port}/metrics/node/{name(at)}", "every": "15s",
             "auth": {"bearer_token": "token"}}
            for at, _ in exporters
        ],
    }


HUB = {
    "servers": [
        {"listen": "tcp://127.0.0.1:0", "auth": {"bearer_token": "token"}, "routes": {"/metrics": {"receive": "hub"}}},
        {"listen": "tcp://127.0.0.1:0", "routes": {"/metrics": {"relay": "hub"}, "/sd": {"sd": "/metrics"}, "/own": {"proxy": {"sources": "self", "default": "self"}}}},
    ],
    "sources": {"hub": {"push": {"apps": max(TARGETS, 256)}}},
    "limits": {"memory": "128MiB", "kept": "96MiB", "connections": 900},
}


async def main():
    servers = [await asyncio.start_server(export, "127.0.0.1", 0) for _ in range(TARGETS)]
    exporters = [(at, server.sockets[0].getsockname()[1]) for at, server in enumerate(servers)]
    with tempfile.TemporaryDirectory() as folder:
        hub = Program(folder, "hub", HUB)
        writing, reading = hub.ports
        idle = hub.memory()
        parts = [exporters[at:at + PIPES] for at in range(0, TARGETS, PIPES)]
        senders = [Program(folder, f"sender{at}", sender(writing, part)) for at, part in enumerate(parts)]
        lists, wrong, scraped, slowest = Reader(reading), 0, 0, 0.0
        begun, listed = time.monotonic(), []
        while len(listed) < TARGETS and time.monotonic() - begun < 4 * EVERY:
            listed = json.loads((await lists.get("/sd"))[1])
            await asyncio.sleep(0.1)
        whole = time.monotonic() - begun
        paths = asyncio.Queue()
        before = [program.processor() for program in (hub, *senders)]
        begun, rss = time.monotonic(), []

        async def read():
            nonlocal wrong, scraped, slowest
            own = Reader(reading)
            while (path := await paths.get()) is not None:
                start = time.monotonic()
                status, page = await own.get(path)
                slowest = max(slowest, time.monotonic() - start)
                scraped += 1
                wrong += status != 200 or page != PAGE

        async def ask():
            nonlocal listed
            for tick in range(int(SECONDS / EVERY)):
                listed = json.loads((await lists.get("/sd"))[1])
                for at, target in enumerate(listed):
                    paths.put_nowait(target["labels"]["__metrics_path__"])
                    if at % 20 == 19:
                        await asyncio.sleep(max(0.0, begun + EVERY * (tick + at / TARGETS) - time.monotonic()))
                rss.append((hub.memory(), max(program.memory() for program in senders)))
            for _ in range(READERS):
                paths.put_nowait(None)

        await asyncio.gather(ask(), *(read() for _ in range(READERS)))
        took = time.monotonic() - begun
        used = [program.processor() - was for program, was in zip((hub, *senders), before)]
        peaks = hub.memory("VmHWM"), max(program.memory("VmHWM") for program in senders)
        files = hub.descriptors()
        own = (await lists.get("/own"))[1].decode()
        taken = next(float(line.split()[1]) for line in own.split("\n") if line.startswith("fanin_push_accepted_total"))
        for program in (*senders, hub):
            program.end()
        troubles = [line for program in (hub, *senders) for line in program.lines if " warn " in line or " error " in line]
        print(f"{TARGETS} targets with pages of {len(PAGE)} bytes, every {EVERY:.0f} s; all on the list after {whole:.1f} s")
        print(f"pages taken by the hub: {taken:.0f}; scraped from it in {took:.0f} s: {scraped}, wrong: {wrong}, slowest {1000 * slowest:.0f} ms")
        print(f"hub: {100 * used[0] / took:.2f} % of one core; {idle} KiB resident before, then {[hub for hub, _ in rss]}, peak {peaks[0]}; descriptors {files}")
        print(f"senders, {len(senders)} of {PIPES} pipes: {100 * sum(used[1:]) / took:.2f} % in all; the largest {[one for _, one in rss]} KiB, peak {peaks[1]}")
        print(f"warnings: {len(troubles)}", *troubles[:5], sep="\n")
        bounded = peaks[0] < 64 * 1024 + TARGETS * 128 and used[0] / took < 0.0002 * TARGETS
        if wrong or troubles or not bounded:
            sys.exit("that is not what it should be")


asyncio.run(main())
